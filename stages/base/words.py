"""Broad English vocabulary for invented tools. No list here is a list of entities of the API pool (tested)."""

VERBS = """
accept add adjust align allow announce apply archive arrange ask assemble assign attach balance begin bind block book
borrow bring build buy calculate call cancel carry catch change charge check choose claim clean clear close collect
combine compare complete compute confirm connect convert copy count cover create cut deliver describe design detect
divide download draw drop edit enable enter estimate examine expand export extend fetch file fill filter find finish
fix fold follow forward gather generate get give grow guide handle hide hold identify import improve include increase
insert inspect install invite issue join keep label launch learn lend level lift limit link list load locate lock log
look lower make manage map mark match measure merge mix modify monitor mount move name note notify observe offer open
order organize pack paint park pass pause pay pick place plan plant play post predict prepare press print process
produce promote protect provide publish pull push put raise rank rate reach read recall receive record recover reduce
refresh register release remind remove rename rent repair repeat replace reply report request reserve reset resize
resolve return review rotate run save scan schedule search secure select sell send serve set share ship show sign skip
sort split start stop store submit subscribe suggest swap switch tag take teach tell test toggle trace track trade
train transfer translate trim try turn undo unlock update upload use verify view visit wait wash watch weigh withdraw
wrap write
""".split()

NOUNS = """
access account action activity address agenda agent alarm album alert amount angle animal answer apartment app apple
archive area arrival article asset attachment attempt author badge bag balance ball band bank basket battery beach bed
bell bicycle bill bird block board boat body book booking bottle box branch bread bridge budget building bus business
button cabin cable cake calendar camera camp campaign candle canvas car card cargo carpet case castle cat catalog
category cell center ceremony chain chair channel chapter charge chart chat check child choice circle city class
client climate clinic clock cloud club coach coat code coffee collection college color column comment company
condition contact contract copy corner cost country couple course court cover credit crew crop cup curtain customer
cycle data date day deadline deal debt degree delay delivery department deposit desert desk detail device diet dinner
direction discount dish display distance doctor document dog door draft drawer drink driver duration duty edge editor
effect email employee engine entry envelope episode error estate event exam exchange exercise expense expert eye
factory family farm fee feed field file film filter fire fish flag flight floor flower folder food forecast forest
form format fountain frame friend fruit fuel game garage garden gate gift glass goal grade grain grant graph group
guest guide hall hand harbor hardware hat heater height highway hill history holiday home hospital hotel hour house
humidity idea image income index inventory invoice island issue item jacket job journal journey juice key kitchen
label lake lamp land lane language lantern laptop law layer leader leaf league leave lecture lesson letter level
library license light limit line link list load loan location lock log lunch machine magazine mail manager map market
match material meal measure meeting member memory menu message metal meter method mirror mission mode model module
moment money month moon mountain movie museum music name network news note notice number nurse object offer office oil
opening option orchard order origin owner package page paint paper parcel park part partner party password path
patient pattern payment pen people period permit person phone photo picture piece pipe place plan plane plant plate
player playlist pocket point policy pool port post pressure price printer priority problem product profile program
project property quality quantity question queue quote radio rain range rate rating reason receipt recipe record
refund region reminder rent reply report request reservation resource rest result review reward ride ring river road
rocket role roof room route row rule salary sale sample scale scene schedule school score screen sea season seat
section sensor server service session set shade shape share sheet shelf ship shirt shoe shop show signal site size
skill sky snow software song sound source space speaker speed sport spot square staff stage stamp star state station
statue status step stock stone storage store storm story stream street student studio style subject summary supply
survey symbol system table tag target task tax taxi teacher team temperature tent term test text theater theme thread
ticket tide tile time tire title tool topic torch total tour tower town track trade traffic trail train training
transaction transfer transport travel tree trip truck tunnel type umbrella unit update user vacation valley value
vehicle version video view village visit visitor voice volume vote wage wall wallet warehouse warning watch water wave
weather website week weight well wheel wind window wing winner winter wire wood word work worker workout yard year
zone
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
    """.strip().splitlines()
)

# Phrase patterns for a value whose parameter is named: {n} its name, {v} the value.
NAMED = (
    "with {n} {v}",
    "{n} {v}",
    "{n} set to {v}",
    "whose {n} is {v}",
    "{v} as the {n}",
    "with {v} as its {n}",
    "the {n} being {v}",
    "the {n} is {v}",
    "using {v} for the {n}",
    "where the {n} equals {v}",
    "and {n} {v}",
    "{v} for {n}",
    "a {n} of {v}",
    "of {n} {v}",
    "in the {v} {n}",
    "at {n} {v}",
    "on the {n} {v}",
    "for the {n} {v}",
    "having {n} {v}",
    "that has the {n} {v}",
    "into {n} {v}",
    "from {n} {v}",
)

# For a value that only its type or the other values tell the parameter of.
LOOSE = tuple(
    " ".join(phrase.split())
    for phrase in """
    above, after, against, along, among, around, as, at, before, behind, below, beside, between, beyond, by, despite,
    down, during, for, from, in, into, like, near, of, off, on, onto, out of, over, past, since, than, through, till,
    to, toward, under, until, up to, via, with, within, starting, ending, running, taking, limited to, reaching,
    going to, coming from, headed for, meant for, directed to, delivered to, kept at, kept as, handed to, worth, marked,
    known as, put at, filed under, measuring, priced at, assigned to, registered as, listed as, showing, reading,
    no more than, no less than, at least, at most, exactly, about, not before, not after, only, all of, just, each of,
    in the, of the, for the, at the, from the, to the, with the, on the, under the, belonging to, owned by, made by,
    requested by, which is, that is, being, set at, taken from, intended for, as of, no later than, bound by, tied to
    """.split(",")
)
UNITS = """
minutes hours days weeks months seconds kilometers km miles meters euros dollars percent points people persons pieces
degrees pages times items liters kilos grams steps units years copies rounds
""".split()

# Before and after the request itself ({i} the intent, {s} the phrases for the values).
LEADS = (
    "", "", "", "hey,", "okay,", "so", "listen:", "next:", "good morning,", "hi there,", "well,", "quick one:", "look,",
    "right,", "as agreed,", "if you can,", "when you have a minute,", "for my boss:", "for the records:", "once again:",
    "before I forget,", "one more thing:",
)  # fmt: skip
FRAMES = (
    "{i} {s}",
    "{i} {s}",
    "{i} {s}",
    "{i}, {s}",
    "{s}, {i}",
    "{i}: {s}",
    "go ahead and {i} {s}",
    "let us {i} {s}",
    "it is time to {i} {s}",
    "my plan is to {i} {s}",
    "be so kind and {i} {s}",
    "we must {i} {s}",
    "the job is to {i} {s}",
    "somebody has to {i} {s}",
    "you should {i} {s}",
    "help me with this: {i} {s}",
    "my boss wants to {i} {s}",
    "I'd love to {i} {s}",
    "I'd rather {i} {s}",
    "I am supposed to {i} {s}",
    "I am trying to {i} {s}",
    "I promised to {i} {s}",
    "my sister asked me to {i} {s}",
    "we are going to {i} {s}",
    "we'd better {i} {s}",
    "they told us to {i} {s}",
    "will you {i} {s}",
    "may I ask you to {i} {s}",
    "how do I {i} {s}",
    "is there a way to {i} {s}",
    "why not {i} {s}",
    "try to {i} {s}",
    "do me a favour and {i} {s}",
    "remember to {i} {s}",
    "make sure to {i} {s}",
    "what I need is to {i} {s}",
    "it would be great to {i} {s}",
    "you may {i} {s}",
    "do {i} {s}",
    "I must {i} {s}",
    "all I ask is that you {i} {s}",
    "it is up to you to {i} {s}",
)
ENDS = (
    "", "", "", "", "", ".", ".", "?", "!", " now", " right away", ", thanks", ", thank you", ", will you?",
    ", if you can.", " as soon as you can", " for me", ", okay?",
)  # fmt: skip

JOINS = (
    "{a} and {b}",
    "{a}, and {b}",
    "{a}. {b}",
    "{a}; {b}",
    "{a}, then {b}",
    "{a} plus {b}",
    "{a} and also {b}",
    "{a}. After that {b}",
    "{a}, {b}",
    "{a} as well as {b}",
    "{a}, afterwards {b}",
    "{a}. Oh, and {b}",
)
# A further call of the same tool that says only what differs.
FURTHER = (
    "{a}; a second one {b}",
    "{a}, another {b}",
    "{a} as well as {b}",
    "{a} and one {b}",
    "{a}, and identically {b}",
    "{a}, both that and {b}",
    "{a}; all of it {b} too",
    "{a}, and the like {b}",
)
AGAIN = (
    "now {s}",
    "again, {s}",
    "repeat with {s}",
    "change: {s}",
    "this time {s}",
    "once more {s}",
    "how about {s}?",
    "I meant {s}",
    "the very same thing {s}",
    "sorry, {s}",
    "one further time, {s}",
    "and if it were {s}?",
    "all as it was, {s}",
)
THAT = ("with that {n}", "using the {n} you got", "for it", "with the {n} from there", "on the one found", "with this")
QUESTIONS = ("Which {n}?", "Please give the {n}?", "May I know the {n}?")
REFUSALS = (
    "No tool here is able to do it.",
    "I cannot, there is no tool for it.",
    "That is not possible with this tool list, I cannot help.",
)
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
