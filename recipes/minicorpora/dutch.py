"""Short Dutch sentences from a grammar over some 260 words.

The words were chosen to sound different from each other. Nouns are sorted by their article, "de" or
"het", since adjectives and demonstratives follow it.
"""

from recipes.minicorpora.grammar import Grammar

RULES = {
    "SENTENCE": """
        WHO heeft THING DONE | WHO heeft THING WHERE DONE | WHO heeft PAST THING DONE
        | PRONOUN heeft THING WHERE DONE | PRONOUN heeft CREATURE PAST DONE
        | PAST heeft PRONOUN THING DONE | PAST heeft WHO CREATURE DONE
        | WHO ACTED HOW WHERE | WHO ACTED ALWAYS WHERE | PAST ACTED WHO HOW
        | WHO ACTED en PRONOUN ACTED | WHO ACTED WHERE maar NAME ACTED HOW
        | PRONOUN heeft COUNT PLURAL WHERE DONE | WHO heeft COUNT PLURAL DONE
        | COUNT PLURAL LAY WHERE | PAST LAY COUNT PLURAL WHERE | COUNT ADJECTIVE PLURAL LAY WHERE
        | WHO WILL FUTURE THING DO | PRONOUN WILL THING WHERE DO | WILL PRONOUN THING FUTURE DO
        | FUTURE WILL WHO CREATURE DO | PRONOUN WILL COUNT PLURAL DO
        | waarom heeft WHO THING DONE | waarom WILL PRONOUN THING DO | wanneer WILL WHO THING DO
        | wie heeft THING WHERE DONE | hoe heeft PRONOUN THING DONE
        | THING was IS en IS | THING was niet IS maar IS | THING WHERE was IS
        | WHO heeft ALWAYS THING DONE | PERSON_NP heeft FOOD en FOOD MADE
        | PERSON_NP heeft WHEN_MEAL FOOD MADE | NAME en NAME hebben THING DONE
        | NAME en NAME hebben CREATURE PAST DONE | PERSON_NP was boos omdat NAME THING heeft DONE
        | PERSON_NP ACTED zonder CREATURE
    """,
    "WHO": "PERSON_NP | PERSON_NP | PERSON_NP | CREATURE",
    "PERSON_NP": "de PERSON | de MOOD PERSON | mijn PERSON | een MOOD PERSON | elke PERSON"
    " | het MOOD meisje | NAME",
    "CREATURE": "de ANIMAL_DE | de MOOD ANIMAL_DE | een MOOD ANIMAL_DE | haar ANIMAL_DE"
    " | het ANIMAL_HET | het MOOD ANIMAL_HET",
    "THING": "de OBJECT_DE | de ADJECTIVE OBJECT_DE | een ADJECTIVE OBJECT_DE | mijn OBJECT_DE"
    " | deze OBJECT_DE | het OBJECT_HET | het ADJECTIVE OBJECT_HET | een OBJECT_HET"
    " | haar ADJECTIVE OBJECT_HET | dit OBJECT_HET",
    "PRONOUN": "hij | hij | zij | zij | niemand | iemand",
    "PERSON": "herder | leraar | dokter | kapitein | schilder | soldaat | bakker | zanger | neef"
    " | tante | moeder | oom | student | koningin | advocaat | piloot | rechter | buurvrouw",
    "NAME": "Emma | Peter | Sofie | Willem | Lotte | David",
    "ANIMAL_DE": "hond | poes | tijger | aap | olifant | ezel | schildpad | spin",
    "ANIMAL_HET": "konijn | paard | schaap",
    "MOOD": "jonge | oude | boze | luie | slimme | beroemde | vrolijke | hongerige",
    "OBJECT_DE": "fiets | tafel | hamer | fles | brief | kaars | deken | gitaar | knoop | jas"
    " | spiegel | emmer | lantaarn | paraplu | trompet | piano | krant | ladder | sleutel | koffer",
    "OBJECT_HET": "boek | raam | schilderij | touw | horloge | tapijt | kussen | potlood",
    "ADJECTIVE": "zware | lege | vuile | houten | kleine | grote | dure | prachtige | vreemde"
    " | gouden | gele | groene | paarse | zwarte | oranje",
    "IS": "kapot | modern | scherp | mooi | smal | warm | licht",
    "COUNT": "twee | drie | vijf | zes | zeven | negen | elf | twaalf | twintig | enkele",
    "PLURAL": "appels | citroenen | bloemen | eieren | vogels | schoenen | munten | tomaten"
    " | stenen | kinderen | boten | paddenstoelen",
    "LAY": "lagen | stonden",
    "DONE": "gekocht | verkocht | geschilderd | gewassen | geleend | verloren | gezien | gevonden"
    " | geteld | vergeten | gevolgd | schoongemaakt | bewonderd | aangeraakt | gestolen"
    " | gedragen | gemist | getekend",
    "DO": "verstoppen | bewaren | brengen | kiezen | beschrijven | onderzoeken | beschermen"
    " | gooien | halen | ruilen | fotograferen",
    "WILL": "wil | moet | kan | zal | mag",
    "ACTED": "sliep | danste | rende | werkte | lachte | fluisterde | sprong | knielde"
    " | zong | speelde | rustte",
    "HOW": "langzaam | snel | plotseling | stil | voorzichtig | alleen | opnieuw",
    "ALWAYS": "altijd | nooit | vaak",
    "MADE": "besteld | geproefd | gedeeld | gegeten",
    "FOOD": "brood | honing | koffie | chocolade | soep | rijst | vis",
    "WHEN_MEAL": "na het MEAL | voor het MEAL",
    "MEAL": "ontbijt | feest | middagmaal",
    "WHERE": "NEAR PLACE | NEAR PLACE | in INDOORS",
    "NEAR": "bij | naast | achter | tegenover",
    "PLACE": "OUTDOORS | INDOORS",
    "OUTDOORS": "de markt | het dorp | de rivier | het bos | het eiland | de berg | de vallei"
    " | de brug | de luchthaven",
    "INDOORS": "de keuken | het station | het ziekenhuis | de kerk | het kasteel | de school"
    " | het kantoor | het museum | de fabriek | de bibliotheek | het hotel | de toren",
    "PAST": "gisteren | vorige TIME | deze TIME | op DAY | in MONTH | elke TIME",
    "FUTURE": "morgen | vandaag | volgende TIME | op DAY | in MONTH | deze TIME",
    "TIME": "ochtend | avond | winter | zomer | week",
    "DAY": "maandag | vrijdag | zondag",
    "MONTH": "december | april",
}
MAY_REPEAT = frozenset({"de", "het", "een", "mijn", "haar", "elke", "deze", "en", "heeft", "in"})
QUESTION_WORDS = frozenset({"waarom", "wanneer", "wie", "hoe", "wil", "moet", "kan", "zal", "mag"})
GRAMMAR = Grammar(RULES, may_repeat=MAY_REPEAT)
