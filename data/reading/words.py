# ruff: noqa: E501, SIM905
"""Words in dates: months, weekdays and zones, in the languages that files come in."""

_MONTHS = (
    # English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian, Swedish, Polish, Czech, Turkish
    "january januar janvier enero gennaio janeiro januari jänner jan janv ene gen styczeń stycznia sty leden ledna ocak",
    "february februar février fevrier febrero febbraio fevereiro februari feber feb fév fev févr fevr luty lutego lut "
    "únor února şubat",
    "march märz maerz mars marzo março marco maart marts mar mär mrz mrt marzec marca březen března mart",
    "april avril abril aprile apr avr abr kwiecień kwietnia kwi duben dubna nisan",
    "may mai mayo maggio maio mei maj mag květen května maja mayıs",
    "june juni juin junio giugno junho jun giu czerwiec czerwca cze červen června haziran",
    "july juli juillet julio luglio julho jul juil lug lipiec lipca lip červenec července temmuz",
    "august août aout agosto augustus augusti aug aoû ago sierpień sierpnia sie srpen srpna ağustos",
    "september septembre septiembre setembro settembre sep sept set wrzesień września wrz září eylül",
    "october oktober octobre octubre ottobre outubro oct okt ott out październik października paź říjen října ekim",
    "november novembre noviembre novembro nov listopad listopada lis listopadu kasım",
    "december dezember décembre decembre diciembre dicembre dezembro dec dez déc dic grudzień grudnia gru prosinec "
    "prosince aralık",
)
MONTHS = {word: number for number, words in enumerate(_MONTHS, start=1) for word in words.split()}
"""Month names and their short forms, lower case, to 1 ... 12."""
MONTHS["agu"] = 8

WEEKDAYS = frozenset(
    "mon monday mo montag lun lundi lunes lunedì seg segunda maandag ma tue tues tuesday di dienstag mar mardi martes "
    "martedì ter terça dinsdag wed wednesday mi mittwoch mer mercredi mié mie miércoles mercoledì qua quarta woensdag "
    "wo thu thur thurs thursday do donnerstag jeu jeudi jue jueves giovedì gio qui quinta donderdag fri friday fr "
    "freitag ven vendredi vie viernes venerdì sex sexta vrijdag vr sat saturday sa samstag sam samedi sáb sab sábado "
    "sabato zaterdag za sun sunday so sonntag dim dimanche dom domingo domenica zondag zo".split()
)

FILLERS = frozenset("de del di den der le of the st nd rd th er a um at г".split())
"""Words beside a month's name that say nothing."""
CHARACTERS = frozenset("年月日년월일")
"""What stands behind a date's numbers in Chinese, Japanese and Korean."""

OFFSETS = {
    "z": 0,
    "utc": 0,
    "gmt": 0,
    "ut": 0,
    "wet": 0,
    "west": 60,
    "cet": 60,
    "cest": 120,
    "mez": 60,
    "mesz": 120,
    "eet": 120,
    "eest": 180,
    "msk": 180,
    "est": -300,
    "edt": -240,
    "cdt": -300,
    "mst": -420,
    "mdt": -360,
    "pst": -480,
    "pdt": -420,
    "jst": 540,
    "aest": 600,
    "aedt": 660,
    "nzst": 720,
    "nzdt": 780,
}
"""Minutes that a zone's short name is ahead of UTC; names that mean several zones (CST, IST, BST) are not here."""
