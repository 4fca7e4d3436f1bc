"""Broad English vocabulary for invented tools. No list here is a list of entities of the API pool (tested)."""

VERBS = """
abandon accept acquire activate adapt add adjust align allocate allow alter amend announce apply appoint approve
archive arrange ask assemble assess assign attach attend authorize award backup balance ban begin bill bind block book
borrow brew bring brush buffer build bundle buy calculate call cancel carry catch celebrate certify change charge
chase check choose cite claim classify clean clear close cluster coach collect combine commit compare compile complete
compose compute condense configure confirm connect consult contact contribute convert cook copy correct count cover
create crop cure cut debit decline decode decorate defer define delay delegate delete deliver deploy deposit describe
design detect diagnose dial disable discard dismiss dispatch display dispose divide donate download draft drain draw
drive drop duplicate earn eat edit elect email empty enable encode encrypt engage enlarge enroll enter erase escalate
estimate examine exchange exclude execute expand expire export expose extend fetch file fill filter find finish fix
fly fold follow forbid forward freeze fund gather gauge generate get give grade grant grow guide halt handle harvest
heat hide hire hold host hunt identify ignore illustrate import improve include increase index inform inquire insert
inspect install insure introduce invest investigate invite iron issue join keep knit label launch learn lease lend
level lift limit link list load locate lock log look lower mail make manage map mark match measure mend mention merge
migrate mine mix modify monitor mount move mute name narrow negotiate note notify observe obtain offer open order
organize outline overwrite pack paint pair park pass patch pause pay permit phone photograph pick pin place plan plant
play pledge polish poll post postpone predict prepare prescribe press preview print proceed process produce prolong
promise promote propose protect provide prune publish pull purchase push put query queue quote raise rank rate reach
read recall recap receive recommend record recover recruit recycle redeem redirect reduce refer refill refresh refund
refuse register reimburse reject release relocate remind remit remove rename render renew rent reopen repair repeat
replace replicate reply report request rescue resend reserve reset resize resolve respond restart restore restrict
retrieve return reverse review revise revoke reward ring roast rotate route run sample sanction save scale scan
schedule score scrap seal search secure seek select sell send serve set settle share shift ship shorten show shut sign
silence simulate sketch skip slice snooze solve sort specify spend split stage start stop store stream strengthen
submit subscribe subtract suggest summarize supervise suspend swap sweep switch tag tailor take tally taste tax teach
tell test text thank tighten tip toggle touch tour trace track trade train transfer transform translate transport
trigger trim try tune turn type uncover undo unite unlink unlock unpack unsubscribe update upgrade upload use vacuum
validate verify view visit vote wait wake walk warm warn wash watch weave weigh wipe wire withdraw work wrap write
""".split()

NOUNS = """
ability absence acceptance access accident accommodation account accountant achievement action activity actor adapter
address advance advert advice affair age agenda agent agreement aid airport alarm album alert allowance amount
analysis angle animal announcement answer anthem apartment app apple appliance applicant application appointment
approval apron archive area argument arrival article artist assembly asset assignment assistant athlete attachment
attempt attendance auction audience audit author authority award background badge bag baggage bakery balance ball
ballot band bank banner barrier base basket battery beach beam bed bell benefit beverage bicycle bid bill bin
biography bird block blog board boat body bond bonus book bookcase booking bookmark boot border boss bottle bottom
bowl box branch brand bread breakfast breed brick bridge brochure broker brush budget building bulb bulletin bundle
burden bus business button buyer cabin cabinet cable cafe cake calculation calendar caller camera camp campaign canal
candidate candle canvas cap capacity caption car card career caretaker cargo carpet carrier cart case cash cashier
casting castle cat catalog category ceiling celebration cell center ceremony certificate chain chair champion channel
chapel chapter character charge chart chat check chef chemist chest child chimney choice circle circuit citizen city
claim class cleaner clerk click client climate clinic clip clock closet clothes cloud club clue coach coast coat code
coffee coin collar colleague collection college colony color column comfort comment commission committee commodity
community company compartment competition complaint component composer concert conclusion condition conference
connection contact container content contest contract contribution control convention conversation cook cookie
coordinates copy corner corridor cost cottage cotton council counter country couple coupon courier course court cousin
cover coverage craft credit crew criterion critic crop cuisine culture cup cupboard currency curtain cushion customer
cycle cyclist dashboard data date daughter day deadline deal dealer debt decision decoration defect deficit definition
degree delay delivery demand dentist department departure deposit depot description desert desk destination detail
device diagram diary diet difference difficulty dinner diploma direction director directory discount disease dish disk
display dispute distance district dividend division doctor document dog donation donor door dose draft drama drawer
drill drink driver duration dust duty earning echo economy edge edition editor education effect effort election
elevator email embassy emergency employee employer energy engine enquiry enrollment entrance entry envelope
environment episode equipment error essay estate evening event evidence exam exchange exercise exhibit exhibition exit
expansion expedition expense experience expert explanation export exposure extension eye fabric facility factory fair
family fare farm farmer fashion fault favorite fee feed feedback fence festival fiber fiction field figure file
filling film filter finding fire firm fish fitness fixture flag flashcard flat flavor fleet flight floor flower folder
folk food forecast forest form format forum fountain frame freight frequency friend fruit fuel funeral furniture fuse
gallery game gap garage garden gate gear genre gesture giant gift glass glove goal government governor grade grain
grammar grandmother grant grape graph graphic grass grocery group guarantee guard guest guide gym habit hall hand
handle harbor hardware harvest hat headline hearing heart heater heating height highway hill hint history holiday home
homework hospital host hotel hour house household human humidity hunter husband hydrant icon idea identity illness
image impact import improvement inbox incident income index industry infection ingredient inhabitant injury ink inn
inspection institute instruction instructor instrument interest interior internet interview introduction invention
inventory investment investor invitation invoice island issue item jacket jar jewel job journal journey judge juice
jury key kit kitchen knife knot knowledge label laboratory ladder lady lake lamp land lane language lantern laptop law
lawyer layer lead leader leaf leaflet league leak lease leave lecture legend lens lesson letter level library license
lid lifestyle lifetime light limit line link lip list load loan location lock log loss lottery luggage lunch lyrics
machine magazine mail mall manager manual manufacturer map margin marker market marriage mask master match material
mayor meadow meal measure medal media medicine meeting member membership memory mention menu merchant merger mess
message metal meter method microphone midnight milestone milk mineral minister minute mirror mission mixture mode
model module moment money month monument mood moon morning motion motor mountain movie mug muscle museum music
musician name narrator nation neighbor nest net network news newsletter newspaper nickname night noise nomination
noodle note notice notification novel number nurse nut object obligation occasion ocean offer office oil opening
operator opinion opponent option orchard order organization origin outlet outline output overview owner oxygen package
page pain paint pair pancake panel paper parade parcel parent park parking part partner partnership party passage
passenger passport password patent path patient pattern payment peak pen penalty people period permission permit
person perspective pet pharmacy phase phone photo physician picture pie piece pilot pin pipe pitch place plan plane
planet plant plate platform player playlist plot plug plumber pocket poem poet point policy poll pond pool popularity
port portfolio portion portrait position post pot potato power practice prediction preference premise prescription
presence presentation president pressure price printer priority prize problem procedure product profession professor
profile profit program project promotion proof property proposal protection protein protocol provider province pupil
purchase quality quantity quarter query question questionnaire queue quiz quote racket radio railway rain range
ranking rate rating ratio reaction reader reason receipt receiver reception recipe recommendation record recorder
recovery recruitment referee reference reform refrigerator refund region registration regulation relation relief
religion remark reminder removal rent repair reply report representative republic reputation request rescue
reservation residence resident resolution resource responsibility rest result resume retailer return revenue review
revision reward rhythm ribbon ride ring risk ritual rival river road robot rocket role roof room rope route row rule
rumor runner sack safety salad salary sale salesman sample sandwich satellite sauce saving scale scan scene schedule
scholarship school science scientist scope score screen script sea season seat secretary section sector segment
selection semester sender sensor sentence sequence series server service session set shade shape share sheet shelf
shelter shift ship shipment shirt shoe shop shoulder show shower shuttle sign signal signature singer sister site size
sketch skill sky slide slot smoke snow soap society sofa software soil solution song sound soup source space spaceship
spare speaker specialist spectrum speech speed spending sponsor spoon sport spot spreadsheet square stadium staff
stage stair stamp standard star state statement static station statue status step stock stone storage store storm
story stove stream street strike string structure student studio style subject submission subscriber subscription
suburb success suggestion suit summary supper supplier supply surface surgery surprise survey suspect switch symbol
symptom system table tag tale talent tape target task tax taxi teacher team technician technology telephone
temperature tenant tension tent term terminal territory test text theater theme theory therapy thread threat thumb
ticket tide tile time timetable tip tire title toast tone tool tooth topic torch total tour tower town toy track trade
tradition traffic trail train trainer training transaction transcript transfer transition transport travel treasure
treatment tree trend trial trick trip trophy truck tune tunnel tutor type umbrella uniform union unit universe
university update user vacancy vacation vaccine valley value variety vegetable vehicle vendor venue verdict verse
version vessel victim victory video view village visa vision visit visitor vocabulary voice volume vote voucher wage
waitlist walk wall wallet warehouse warning watch water wave wealth weapon weather website wedding week weekend weight
welcome well wheel wholesale width wife wilderness wind window winery wing winner winter wire wish witness wizard wood
word work worker workflow workout world writer writing yard year youth zone zoo
""".split()

ADJECTIVES = """
active annual automatic basic best big black blue bright broad busy central cheap clean clear closed cold common
complete cool copper correct current custom daily dark deep digital direct double dry early eastern easy empty equal
exact expensive express external extra fair false famous fast final fine first fixed flat flexible foreign free fresh
front full general gentle global gold golden good gray green half hard heavy hidden high hot huge important indoor
internal iron large last late latest left light little local long loud low main major manual medium middle minor
mobile modern monthly narrow natural near new next nice nearby normal northern old online only open outdoor outer paid
partial past personal plain popular premium present pretty private proper public quick quiet random rapid rare raw
ready real recent red regular remote right round rural safe secret sharp short silent silver simple single slow small
smart smooth soft solid southern special stable standard steady strong sweet tall thick thin tiny top total true
unique upper urban urgent usual valid warm weekly western wet white whole wide wild yellow young
""".split()

# Parameter names with the preposition English gives that role.
ROLES = {
    "from": "origin source start sender giver seller departure".split(),
    "to": "destination target recipient receiver end buyer goal arrival".split(),
    "on": "date day platform".split(),
    "at": "time hour place location venue".split(),
    "for": "duration purpose owner person customer client audience".split(),
    "by": "author maker artist deadline creator".split(),
    "in": "language room color unit currency city country region format".split(),
    "about": "subject topic theme matter".split(),
    "called": "name title label".split(),
    "named": "name title label".split(),
    "until": "end deadline expiry".split(),
    "within": "radius range distance".split(),
    "over": "minimum floor".split(),
    "under": "maximum limit category section".split(),
    "with": "guest partner tag attendee comment".split(),
    "of": "amount size quantity".split(),
}

# Words that may stand for each other: a request says one, a description the other.
SYNONYMS = tuple(
    tuple(word.strip() for word in line.split(","))
    for line in """
    create, make, set up, establish, build
    add, attach, append, put in, include
    remove, delete, take away, get rid of, drop, erase
    find, search for, look for, locate, hunt for
    get, fetch, obtain, retrieve, pull up
    look up, check, consult, see
    show, display, present, let me see
    list, enumerate, go through, give me all of
    cancel, call off, abandon, scrap
    change, modify, edit, alter, adjust
    update, bring up to date, revise, refresh
    move, shift, relocate, put elsewhere
    postpone, put off, delay, defer
    send, dispatch, deliver, pass on
    share, hand around, grant access to
    start, begin, launch, kick off, set off
    stop, end, halt, shut off, break off
    open, unlock, unseal
    close, shut, lock
    buy, purchase, acquire, get hold of
    order, have delivered, ask for
    sell, offer for sale, put on the market
    book, reserve, secure, hold
    pay, settle, pay off, cover
    rent, hire, lease, borrow
    return, give back, bring back, send back
    join, enter, sign up for, become part of
    leave, quit, step out of
    invite, ask along, bring in
    remind, notify, alert, tip off
    tell, inform, let know, report
    explain, describe, clarify, define
    write, compose, draft, put together
    read, go over, study
    record, log, note down, keep track of
    save, store, keep, preserve
    copy, duplicate, clone, replicate
    rename, give another name to, call differently
    sort, arrange, organize, put in order
    compare, contrast, weigh up
    count, tally, number
    calculate, compute, work out, figure out
    estimate, guess, gauge, predict
    measure, determine, size up
    convert, turn, transform
    translate, put into another language, render
    play, put on, let run
    pause, hold up, interrupt, suspend
    raise, increase, lift, turn up
    lower, decrease, reduce, turn down
    set, fix, put
    turn on, switch on, activate, enable
    turn off, switch off, deactivate, disable
    choose, pick, select, decide on
    confirm, approve, accept, agree to
    reject, decline, refuse, turn down
    assign, allocate, give, hand over
    submit, hand in, turn in, file
    rate, score, grade, mark
    review, judge, comment on, assess
    follow, track, trace, monitor
    plan, schedule, arrange, line up
    repair, mend, fix, put right
    clean, wash, tidy up
    check in, register, enroll, sign in
    subscribe to, sign up for, take out
    print, put on paper
    upload, put online, publish, post
    download, save locally, fetch
    block, bar, lock out, freeze
    allow, permit, authorize
    link, connect, tie together, join up
    split, divide, break up
    merge, combine, unite, put together
    test, try out, probe
    answer, reply to, respond to, get back to
    ask, inquire, question
    suggest, recommend, propose
    request, ask for, apply for, demand
    claim, demand, insist on
    charge, bill, debit
    credit, refund, reimburse, pay back
    transfer, wire, move, send over
    carry, transport, ship, haul
    visit, drop in on, go to
    event, appointment, meeting, date
    message, note, letter, mail
    picture, photo, image, shot
    film, movie, motion picture
    song, track, piece of music, tune
    task, to-do, job, assignment
    trip, journey, tour, excursion
    flight, plane, air trip
    hotel, inn, place to stay, lodging
    room, chamber, suite
    restaurant, diner, place to eat
    meal, dish, food
    shop, store, market
    product, item, article, goods
    order, purchase
    price, cost, fee, charge
    bill, invoice, statement
    money, cash, funds, sum
    bank, credit union
    account, profile, membership
    car, vehicle, automobile
    road, street, route, way
    house, home, building, place
    lamp, light, lighting
    heating, heater, thermostat, warmth
    device, gadget, appliance, machine
    person, somebody, individual
    worker, employee, member of staff, colleague
    customer, client, buyer
    guest, visitor, attendee
    student, pupil, learner
    teacher, instructor, tutor
    course, class, lesson, training
    exam, test, quiz
    exercise, workout, drill
    doctor, physician
    issue, problem, defect, fault
    error, mistake, bug
    document, file, paper
    folder, directory, drawer
    list, index, register
    plan, schedule, agenda, timetable
    reminder, alert, warning, alarm
    forecast, outlook, prediction
    place, location, spot, site
    package, parcel, delivery
    ticket, pass, admission
    seat, place
    holiday, vacation, leave, time off
    salary, wage, pay
    review, opinion, verdict
    comment, remark, note
    rating, score, grade, mark
    discount, rebate, price cut
    key, code
    team, group, crew
    project, undertaking, venture
    report, summary, overview
    level, degree, stage
    duration, length, time
    amount, quantity, number, sum
    write down, note, jot down
    throw away, discard, dispose of, bin
    bring, carry over, hand over
    call, phone, ring, dial
    speak to, talk to, chat with
    meet, come together with, get together with
    learn, study, practise
    teach, instruct, coach
    examine, inspect, look into, investigate
    verify, double-check, make certain of
    watch, observe, keep an eye on
    look at, view, see, take a look at
    hear, listen to
    broadcast, stream, air
    advertise, promote, announce, make public
    publish, release, issue, bring out
    withdraw, take out, pull out
    deposit, pay in, put in
    spend, lay out
    save up, put aside, set aside
    donate, give away, contribute
    exchange, swap, trade, switch
    replace, substitute, put in place of
    restore, recover, bring back, get back
    reset, start over, put back
    undo, reverse, revert, take back
    repeat, do again, redo, go over again
    renew, prolong, extend
    shorten, cut, trim
    enlarge, expand, widen, make bigger
    shrink, reduce, make smaller
    fill, load, fill up
    empty, clear, clear out
    lend, loan, let somebody have
    ban, forbid, prohibit, disallow
    hide, conceal, cover up
    reveal, uncover, expose, disclose
    protect, guard, shield, secure
    warn, caution, raise an alarm for
    greet, welcome, receive
    thank, express thanks to
    complain about, object to
    promise, pledge, commit to
    appoint, name, nominate
    dismiss, fire, let go
    recruit, take on, employ, hire
    train, drill, work on
    lead, head, run, direct
    manage, handle, look after, take care of
    organize, arrange, set up, hold
    attend, go to, take part in, be present at
    miss, skip, stay away from
    arrive at, reach, get to
    depart from, set out from, leave
    travel to, journey to, get to
    drive, steer, go by car
    fly, go by air, take a plane
    walk, go on foot, stroll
    ride, cycle, go by bike
    board, get on, embark on
    park, leave the car
    pick up, collect, fetch
    drop off, hand in, leave
    pack, box up, wrap
    unpack, unwrap
    attach, fasten, pin
    detach, take off, unfasten
    highlight, underline, emphasize, stress
    mention, refer to, bring up
    cite, quote
    sum up, summarize, recap
    shorten, condense
    draw, sketch, outline
    paint, color
    photograph, take a picture of, snap
    film, record, shoot
    scan, digitize
    cook, prepare, make
    serve, dish up
    eat, consume, have
    drink, sip
    taste, sample, try
    grow, raise, cultivate
    water, sprinkle
    heat, warm, warm up
    cool, chill, cool down
    dim, darken, turn down
    brighten, light up
    mute, silence, quieten
    boost, strengthen, step up
    slow down, brake
    speed up, accelerate, hurry
    vote for, elect, choose
    bet on, wager on
    win, earn, gain
    lose, misplace
    owe, be in debt for
    tax, levy
    insure, cover
    sue, take to court
    diagnose, find the cause of
    treat, cure, heal
    prescribe, order
    vaccinate, give a shot to
    weigh, put on the scales
    query, search, look through
    filter, sift, narrow down
    group, cluster, bundle
    rank, order, put in order
    export, write out, dump
    import, read in, bring in
    deploy, roll out, put into service
    install, set up, put in
    uninstall, remove, take off
    crash, fail, break down
    debug, find the fault in
    escalate, raise, bring to the boss
    close, settle, finish off, complete
    reopen, take up again
    snooze, put off
    wake, rouse, get up
    conversation, talk, discussion, chat
    call, phone call, ring
    email, mail, electronic letter
    inbox, mailbox, incoming mail
    recipient, addressee, receiver
    sender, author, writer
    contact, acquaintance, person
    address book, contacts, phone book
    friend, pal, buddy
    boss, manager, head, supervisor
    candidate, applicant, job seeker
    job, position, post, vacancy, opening
    office, workplace, desk
    department, division, section
    company, firm, business
    contract, agreement, deal
    meeting room, conference room
    notice, announcement, bulletin
    news, headlines, latest
    newspaper, paper, journal
    book, volume, title
    novel, story, tale
    poem, verse
    lyrics, words
    musician, singer, artist
    album, record
    concert, gig, show
    playlist, mix, set of songs
    channel, station
    series, show, programme
    game, match
    score, result, outcome
    player, athlete, sportsman
    gym, fitness club, sports hall
    run, jog
    calories, energy
    diet, eating plan
    recipe, cooking instructions
    breakfast, morning meal
    dinner, supper, evening meal
    drink, beverage
    cafe, coffee shop
    waiter, server
    table, place to sit
    menu, bill of fare
    chef, cook
    kitchen, cookhouse
    bedroom, sleeping room
    lounge, living room, sitting room
    cellar, basement
    door, entrance, gate
    window, pane
    blinds, shutters, curtains
    vacuum, hoover, cleaner
    fridge, refrigerator
    oven, stove, cooker
    television, TV, telly
    speaker, loudspeaker, sound system
    phone, telephone, mobile, handset
    computer, PC, machine
    laptop, notebook
    battery, power
    electricity, power, current
    temperature, heat, degrees
    humidity, dampness, moisture
    rain, showers, wet weather
    snow, snowfall
    wind, breeze, gale
    storm, thunderstorm, tempest
    sun, sunshine
    fog, mist
    air, atmosphere
    pollution, dirt, smog
    map, chart, plan
    coordinates, position, latitude and longitude
    distance, how far it is, way
    directions, route, way
    traffic, congestion, jam
    train, railway, rail
    bus, coach
    taxi, cab
    bicycle, bike, cycle
    boat, ship, vessel
    airport, airfield
    station, stop, terminal
    fare, ticket price
    luggage, baggage, bags, suitcases
    passport, travel document
    visa, entry permit
    passenger, traveller, rider
    stay, visit
    check-out, departure
    check-in, arrival
    breakfast, morning food
    pharmacy, drugstore, chemist
    clinic, hospital, surgery
    medicine, drug, medication, pill
    illness, disease, sickness
    symptom, complaint
    patient, sick person
    nurse, carer
    dentist, tooth doctor
    vet, animal doctor
    pet, animal
    cart, basket, trolley
    wishlist, wish list, wishes
    gift, present
    voucher, coupon
    warranty, guarantee
    receipt, proof of payment
    brand, make
    size, measure
    stock, inventory, supply
    warehouse, depot, storehouse
    courier, messenger, carrier
    balance, how much is left, remainder
    transaction, booking, movement
    transfer, payment, remittance
    standing order, regular payment, recurring payment
    loan, credit, borrowed money
    interest, yield
    card, credit card, plastic
    limit, cap, ceiling, maximum
    currency, kind of money
    tax, duty
    budget, spending plan
    savings, nest egg, put-aside money
    share, stock
    insurance, cover, policy
    rent, lease
    flat, apartment, unit
    neighbourhood, area, district
    town, city, municipality
    country, nation, state
    village, hamlet
    border, frontier
    river, stream
    mountain, peak, hill
    beach, shore, coast
    forest, wood, woods
    park, green, garden
    museum, gallery
    church, chapel
    library, reading room
    school, college, academy
    university, college
    homework, assignment, exercise
    grade, mark, points
    flashcards, study cards, learning cards
    word, term, expression
    language, tongue
    subject, topic, theme
    question, query
    solution, answer, fix
    ticket, issue, case
    bug, defect, flaw
    release, version, edition
    branch, fork
    comment, remark, annotation
    label, tag, sticker
    priority, urgency, importance
    status, state, condition
    progress, headway
    deadline, due date, time limit
    milestone, target, goal
    calendar, diary, planner
    slot, gap, opening, free time
    day off, free day
    weekend, end of the week
    morning, early hours
    evening, night
    birthday, anniversary
    party, celebration
    wedding, marriage
    photo album, picture book
    note, memo, jotting
    checklist, list of things to do, to-do list
    attachment, enclosure
    draft, rough version
    copy, duplicate
    backup, safety copy
    password, secret word
    permission, right, access
    owner, holder, proprietor
    user, account holder
    group, circle
    crowd, audience
    opinion, view
    feedback, response
    survey, poll, questionnaire
    waiting list, waitlist, queue
    seat, chair
    row, line
    quality, grade
    kind, type, sort
    color, shade, hue
    brightness, light level
    volume, loudness
    speed, pace
    weight, mass, pounds
    height, tallness
    width, breadth
    age, years
    name, title
    nickname, short name
    number, figure
    id, number, code
    reason, cause, grounds
    purpose, aim
    description, details, particulars
    detail, fine point
    example, sample
    rule, regulation
    law, act
    police, officers
    thief, burglar
    alarm, siren
    fire, blaze
    accident, crash
    help, support, assistance
    """.strip().splitlines()
)

UNITS = """
minutes hours days weeks months seconds kilometers km miles meters euros dollars percent points people persons pieces
degrees pages times items liters kilos grams steps units years copies rounds
""".split()
ONSETS = "b br c ch cl d dr f fl g gr h j k kl l m n p pl pr qu r s sh sk st str t th tr v w y z".split()
VOWELS = "a e i o u ai ea ee ia io oo ou au".split()
CODAS = [
    "",
    "",
    "",
    "n",
    "r",
    "s",
    "l",
    "m",
    "t",
    "nd",
    "rk",
    "x",
    "ck",
    "th",
    "ll",
    "st",
    "ng",
    "ton",
    "ville",
    "son",
    "berg",
    "er",
    "en",
    "y",
]
ENDINGS = "com net org io test pdf txt csv png doc mp4 h5".split()
