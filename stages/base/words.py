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

# Phrase patterns for a value whose parameter is named: {n} its name, {v} the value.
NAMED = (
    "with {n} {v}",
    "{n} {v}",
    "{n} set to {v}",
    "whose {n} is {v}",
    "{v} as the {n}",
    "the {n} being {v}",
    "the {n} is {v}",
    "using {v} for the {n}",
    "where the {n} equals {v}",
    "and {n} {v}",
    "{v} for {n}",
    "a {n} of {v}",
    "of {n} {v}",
)

# Whole-request patterns: {i} the intent, {s} the phrases for the values.
REQUESTS = (
    "{i} {s}",
    "{i} {s} now",
    "go ahead and {i} {s}",
    "let us {i} {s}",
    "it is time to {i} {s}",
    "my plan is to {i} {s}",
    "be so kind and {i} {s}",
    "we must {i} {s}",
    "{s}, {i}",
    "next: {i} {s}",
    "{i}, {s}.",
    "the job is to {i} {s}.",
    "somebody has to {i} {s}",
    "you should {i} {s}.",
    "help me with this: {i} {s}",
    "my boss wants to {i} {s}.",
    "hello, {i} {s}",
    "when you have a minute, {i} {s}",
)

JOINS = (
    "{a} and {b}",
    "{a}, and {b}",
    "{a}. {b}",
    "{a}; {b}",
    "{a}, then {b}",
    "{a} plus {b}",
    "{a} and also {b}",
    "{a}. After that {b}",
)
AGAIN = ("now {s}", "again, {s}", "repeat with {s}", "change: {s}", "this time {s}", "once more {s}")
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
