"""Short English sentences from a grammar over some 240 words.

The words were chosen to sound different from each other in every accent that the corpora speak
(no "two" beside "too"), so that a word error is an error of recognition and not of spelling.
"""

import re

from recipes.minicorpora.grammar import Grammar

VOWELS = "aeiou"
RULES = {
    "SENTENCE": """
        WHO DID THING WHERE | WHO DID THING PAST | WHO DID CREATURE WHERE | PRONOUN DID THING WHERE
        | WHO DID THING | PRONOUN DID CREATURE PAST | PAST PRONOUN DID THING
        | WHO ACTED HOW WHERE | WHO ACTED WHERE | WHO ACTED HOW PAST | WHO ACTED and PRONOUN ACTED
        | PRONOUN DID COUNT PLURAL WHERE | WHO DID COUNT PLURAL | COUNT PLURAL were WHERE PAST
        | COUNT ADJECTIVE PLURAL were WHERE | WHO WILL DO THING FUTURE | PRONOUN WILL DO THING WHERE
        | PRONOUN WILL DO COUNT PLURAL FUTURE | WILL PRONOUN DO THING FUTURE
        | did WHO DO THING WHERE | why did PRONOUN DO THING PAST | when will WHO DO THING
        | who DID THING WHERE | how could PRONOUN DO THING FUTURE
        | THING was ADJECTIVE and ADJECTIVE | THING was not ADJECTIVE but ADJECTIVE
        | THING WHERE was ADJECTIVE | PERSON_NP was MOOD because PRONOUN DID THING
        | WHO ALWAYS DID THING | WHO ALWAYS ACTED HOW WHERE | HE ALWAYS ATE FOOD with FOOD
        | PERSON_NP ATE FOOD and FOOD | PERSON_NP ATE some FOOD WHEN_MEAL
        | NAME and NAME DID THING PAST | PERSON_NP and NAME ACTED HOW
        | PERSON_NP ACTED without CREATURE | PERSON_NP DID NAME WHERE
    """,
    "WHO": "PERSON_NP | PERSON_NP | PERSON_NP | CREATURE",
    "PERSON_NP": "the PERSON | the MOOD PERSON | my PERSON | a MOOD PERSON | every PERSON | NAME",
    "CREATURE": "the ANIMAL | the MOOD ANIMAL | a MOOD ANIMAL | her ANIMAL",
    "THING": "the OBJECT | the ADJECTIVE OBJECT | a ADJECTIVE OBJECT | a OBJECT | my OBJECT"
    " | her ADJECTIVE OBJECT | this OBJECT | every ADJECTIVE OBJECT",
    "HE": "he | she | we | they",
    "PRONOUN": "HE | HE | nobody | somebody",
    "PERSON": "farmer | teacher | doctor | captain | painter | soldier | baker | singer | brother"
    " | sister | mother | uncle | student | queen | boy | girl | lawyer | pilot | judge",
    "NAME": "anna | peter | oliver | susan | david | julia",
    "ANIMAL": "dog | cat | rabbit | tiger | monkey | elephant | donkey | turtle | spider | lizard",
    "MOOD": "young | old | tall | happy | angry | lazy | hungry | clever | famous | gentle",
    "OBJECT": "basket | bottle | hammer | table | window | letter | picture | candle | blanket"
    " | bicycle | guitar | button | jacket | ticket | mirror | pencil | wagon | lantern | umbrella"
    " | camera | trumpet | piano | necklace | carpet | newspaper",
    "ADJECTIVE": "heavy | broken | empty | dirty | wooden | small | large | expensive | beautiful"
    " | strange | golden | yellow | green | purple | black | orange",
    "COUNT": "three | five | six | seven | nine | eleven | twelve | twenty | many | several",
    "PLURAL": "apples | lemons | flowers | tomatoes | eggs | birds | books | shoes | sandwiches"
    " | mushrooms | boats | coins | stones | children",
    "DID": "carried | found | bought | sold | painted | dropped | washed | borrowed | lost"
    " | noticed | wanted | counted | remembered | forgot | watched | followed | cleaned"
    " | admired | touched",
    "DO": "hide | keep | bring | choose | collect | describe | examine | discover | protect | throw"
    " | deliver",
    "WILL": "will | must | could | should",
    "ACTED": "slept | danced | waited | worked | laughed | whispered | arrived | jumped | walked"
    " | listened | played | rested",
    "HOW": "slowly | quickly | suddenly | quietly | carefully | again | alone",
    "ALWAYS": "always | never | often",
    "ATE": "cooked | tasted | ordered | shared",
    "FOOD": "bread | honey | coffee | chocolate | soup | cheese | fish",
    "WHEN_MEAL": "before MEAL | after MEAL",
    "MEAL": "breakfast | lunch | dinner",
    "WHERE": "NEAR the OUTDOORS | NEAR the INDOORS | IN the INDOORS",
    "NEAR": "near | behind | beside | above",
    "IN": "in | inside | under",
    "OUTDOORS": "market | village | river | forest | island | mountain | valley | bridge | airport",
    "INDOORS": "kitchen | station | hospital | church | castle | school | office | museum | factory"
    " | library | hotel | tower",
    "PAST": "yesterday | last TIME | this TIME | on DAY | in MONTH | every TIME",
    "FUTURE": "tomorrow | today | next TIME | on DAY | in MONTH | this TIME",
    "TIME": "morning | evening | winter | summer | weekend",
    "DAY": "monday | friday | sunday",
    "MONTH": "december | april",
}
MAY_REPEAT = frozenset({"the", "a", "my", "her", "every", "and", "this"})


def with_articles(text):
    """Write "an" for "a" before a vowel.

    >>> with_articles("a old teacher painted a apple")
    'an old teacher painted an apple'
    """
    return re.sub(rf"\ba (?=[{VOWELS}])", "an ", text)


GRAMMAR = Grammar(RULES, may_repeat=MAY_REPEAT, finish=with_articles)
