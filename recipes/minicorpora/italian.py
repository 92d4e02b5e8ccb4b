"""Short Italian sentences from a grammar over some 260 words.

The words were chosen to sound different from each other: "ha" is there and "a" is not. Nouns are
sorted by gender and by the sound that they begin with, which decide articles ("il", "lo", "l'") and
adjectives.
"""

from recipes.minicorpora.grammar import Grammar

RULES = {
    "SENTENCE": """
        WHO ha DONE THING | WHO ha DONE THING WHERE | WHO ha DONE THING PAST
        | WHO ha DONE CREATURE WHERE | PRONOUN ha DONE THING WHERE | PRONOUN ha DONE CREATURE PAST
        | PAST PRONOUN ha DONE THING | PAST WHO ha DONE CREATURE
        | WHO ha ACTED HOW WHERE | WHO ha ACTED WHERE | WHO ha ACTED HOW PAST
        | WHO ha ACTED e PRONOUN ha ACTED
        | PRONOUN ha DONE COUNT PLURAL WHERE | WHO ha DONE COUNT PLURAL
        | COUNT PLURAL erano WHERE | PAST COUNT PLURAL erano WHERE
        | WHO WILL DO THING FUTURE | PRONOUN WILL DO THING WHERE | FUTURE WHO WILL DO CREATURE
        | PRONOUN WILL DO COUNT PLURAL FUTURE
        | dove ha DONE THING PERSON_NP | perché WHO ha DONE THING | perché PRONOUN WILL DO THING
        | quando WILL DO THING NAME | chi ha DONE THING WHERE | chi WILL DO THING FUTURE
        | STATE | WHO ha ALWAYS DONE THING | WHO non ha mai DONE THING
        | PERSON_NP ha MADE FOOD e FOOD | PERSON_NP ha MADE FOOD WHEN_MEAL
        | NAME e NAME hanno DONE THING | NAME e NAME hanno DONE CREATURE PAST
        | NAME era MOOD perché PRONOUN ha DONE THING | PERSON_NP ha ACTED senza CREATURE
    """,
    "STATE": """
        il OBJECT_M era ADJECTIVE_M e ADJECTIVE_M | la OBJECT_F era ADJECTIVE_F e ADJECTIVE_F
        | il OBJECT_M non era ADJECTIVE_M ma ADJECTIVE_M
        | la OBJECT_F non era ADJECTIVE_F ma ADJECTIVE_F
        | il mio OBJECT_M era ADJECTIVE_M | la mia OBJECT_F era ADJECTIVE_F
    """,
    "WHO": "PERSON_NP | PERSON_NP | PERSON_NP | CREATURE",
    "PERSON_NP": "MAN_NP | MAN_NP | WOMAN_NP | WOMAN_NP | NAME",
    "MAN_NP": "il MAN | il MAN MOOD_M | un MAN MOOD_M | il mio MAN | mio fratello"
    " | lo MAN_S MOOD_M | uno MAN_S | l'avvocato MOOD_M | un avvocato",
    "WOMAN_NP": "la WOMAN | la WOMAN MOOD_F | una WOMAN MOOD_F | la mia WOMAN | mia sorella"
    " | l'amica MOOD_F | un'amica",
    "CREATURE": "il ANIMAL_M | il ANIMAL_M MOOD_M | un ANIMAL_M MOOD_M | la ANIMAL_F"
    " | la ANIMAL_F MOOD_F | una ANIMAL_F MOOD_F | l'elefante | un elefante MOOD_M | l'asino",
    "THING": "THING_M | THING_F",
    "THING_M": "il OBJECT_M | il OBJECT_M ADJECTIVE_M | un OBJECT_M ADJECTIVE_M | il mio OBJECT_M"
    " | questo OBJECT_M | ogni OBJECT_M | lo OBJECT_S | uno OBJECT_S ADJECTIVE_M"
    " | l'ombrello | l'orologio | un ombrello ADJECTIVE_M",
    "THING_F": "la OBJECT_F | la OBJECT_F ADJECTIVE_F | una OBJECT_F ADJECTIVE_F | la mia OBJECT_F"
    " | questa OBJECT_F | ogni OBJECT_F | l'automobile ADJECTIVE_F | un'automobile",
    "PRONOUN": "lui | lei | nessuno | qualcuno",
    "MAN": "maestro | dottore | capitano | soldato | fornaio | giudice | ragazzo | pilota",
    "MAN_S": "zio | studente",
    "WOMAN": "regina | bambina | cantante | contessa | pittrice | ballerina",
    "NAME": "Elena | Davide | Luca | Giulia | Marco | Sofia",
    "ANIMAL_M": "cane | gatto | leone | cavallo | topo | serpente",
    "ANIMAL_F": "tigre | scimmia | tartaruga | pecora",
    "MOOD": "giovane | felice | triste | gentile | celebre",
    "MOOD_M": "MOOD | stanco | pigro | allegro",
    "MOOD_F": "MOOD | stanca | pigra | allegra",
    "OBJECT_M": "tavolo | martello | libro | quadro | biglietto | tappeto | giornale"
    " | pianoforte | telefono | bicchiere",
    "OBJECT_S": "specchio | zaino",
    "OBJECT_F": "bottiglia | finestra | lettera | candela | coperta | bicicletta | chitarra"
    " | giacca | lanterna | matita | tromba | collana | chiave | valigia",
    "ADJECTIVE": "pesante | utile | verde | enorme",
    "ADJECTIVE_M": "ADJECTIVE | lucido | vuoto | sporco | piccolo | giallo | nero",
    "ADJECTIVE_F": "ADJECTIVE | lucida | vuota | sporca | piccola | gialla | nera",
    "COUNT": "due | tre | cinque | sei | sette | undici | dodici | venti",
    "PLURAL": "patate | limoni | fiori | uova | uccelli | scarpe | funghi | barche"
    " | monete | foglie | pomodori",
    "DONE": "comprato | venduto | dipinto | lavato | perso | visto | trovato | contato"
    " | dimenticato | guardato | seguito | pulito | nascosto | toccato | portato | cercato"
    " | rubato",
    "DO": "smontare | tenere | scegliere | raccogliere | descrivere | scoprire | proteggere"
    " | lanciare | consegnare | cambiare | spedire",
    "WILL": "vuole | può | dovrebbe | preferisce",
    "ACTED": "dormito | ballato | nuotato | lavorato | riso | saltato | camminato | giocato"
    " | viaggiato | riposato",
    "HOW": "lentamente | subito | tranquillamente | volentieri | bene | ancora",
    "ALWAYS": "sempre | spesso",
    "MADE": "cucinato | preparato | gustato | mangiato",
    "FOOD": "burro | miele | caffè | cioccolata | zuppa | formaggio | pesce",
    "WHEN_MEAL": "dopo MEAL | prima di MEAL",
    "MEAL": "colazione | pranzo | cena",
    "WHERE": "NEAR_M PLACE_M | NEAR_F PLACE_F | NEAR_VOWEL PLACE_VOWEL | nello stadio",
    "NEAR_M": "nel | dietro il | sotto il",
    "NEAR_F": "nella | dietro la | sotto la",
    "NEAR_VOWEL": "dietro | sotto",
    "PLACE_M": "mercato | villaggio | bosco | castello | museo | ristorante | giardino | teatro",
    "PLACE_F": "cucina | stazione | scuola | biblioteca | torre | montagna | piazza | valle",
    "PLACE_VOWEL": "l'ospedale | l'albergo | l'aeroporto | l'ufficio",
    "PAST": "ieri | lo scorso TIME_M | la scorsa SEASON_F | questa TIME_F | DAY | in MONTH"
    " | ogni TIME_F",
    "FUTURE": "domani | oggi | il prossimo TIME_M | la prossima SEASON_F | DAY | in MONTH",
    "TIME_M": "inverno | mese",
    "TIME_F": "mattina | notte | SEASON_F",
    "SEASON_F": "estate | settimana",
    "DAY": "lunedì | venerdì | domenica",
    "MONTH": "dicembre | aprile",
}
MAY_REPEAT = frozenset(
    {"il", "lo", "la", "un", "una", "uno", "mio", "mia", "questa", "ogni", "e", "ha"}
)
QUESTION_WORDS = frozenset({"dove", "perché", "quando", "chi"})
GRAMMAR = Grammar(RULES, may_repeat=MAY_REPEAT)
