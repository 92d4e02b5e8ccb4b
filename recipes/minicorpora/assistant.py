"""Requests to a voice assistant, with SLURP's labels, from a grammar over some 270 words.

Scenarios, actions and types of entities are named as in SLURP; the sentences are ours. No intent
is told by its first word alone: "please", "could you" and many others begin any request, and some
requests only name what they are about at their end. As in `english`, words sound different from
each other in every accent.
"""

import re

from recipes.minicorpora.grammar import Grammar

# scenario_action: what is said
INTENTS = {
    "alarm_set": """
        ASK wake me up WHEN | ASK wake me at TIME DATE | let the alarm ring at TIME DATE
        | ASK set my alarm for TIME DATE | i must get up at TIME DATE
        | DATE i have to get up at TIME | ASK do not let me sleep past TIME""",
    "alarm_remove": """
        ASK cancel my alarm for TIME | ASK remove the alarm at TIME DATE
        | no alarm at TIME DATE please | the alarm at TIME should not ring DATE
        | let me sleep DATE and forget the alarm | i do not need the TIME alarm DATE""",
    "calendar_set": """
        ASK put the EVENT_NAME DATE in my calendar | ASK add a EVENT_NAME with WHO to my calendar
        | there is a EVENT_NAME with WHO DATE remember it | i meet WHO WHEN please remember it
        | the EVENT_NAME will be DATE please remember it | add WHO to my calendar for DATE""",
    "calendar_query": """
        when is my EVENT_NAME with WHO | what do i have to do DATE | is there a EVENT_NAME DATE
        | am i free WHEN | who comes to the EVENT_NAME DATE | when am i free for WHO DATE
        | ASK show me my calendar for DATE""",
    "calendar_remove": """
        ASK delete the EVENT_NAME with WHO DATE | ASK delete my calendar for DATE
        | my EVENT_NAME with WHO will not happen | i cannot meet WHO WHEN so delete it
        | ASK remove the EVENT_NAME from my calendar | ASK cancel my EVENT_NAME with WHO""",
    "weather_query": """
        will there be WEATHER_DESCRIPTOR in PLACE_NAME DATE | how is the weather in PLACE_NAME DATE
        | do i need my umbrella in PLACE_NAME DATE | is WEATHER_DESCRIPTOR expected in PLACE_NAME
        | ASK tell me about the weather DATE | will WEATHER_DESCRIPTOR come to PLACE_NAME DATE""",
    "play_music": """
        ASK play MUSIC_GENRE music | ASK play songs by ARTIST_NAME
        | ASK play MUSIC_GENRE by ARTIST_NAME | i would like to hear ARTIST_NAME DATE
        | MUSIC_GENRE music would be nice now | it is time for songs by ARTIST_NAME
        | i feel MOOD play MUSIC_GENRE music | ASK play ARTIST_NAME in the HOUSE_PLACE""",
    "audio_volume_mute": """
        ASK be quiet for SPAN | ASK be quiet until TIME | ASK stop talking for SPAN
        | i cannot sleep so stop talking | no sound until TIME please
        | i feel MOOD ASK be quiet for SPAN""",
    "lists_createoradd": """
        ASK add FOOD to my LIST_NAME list | FOOD should be on my LIST_NAME list
        | ASK write FOOD on the LIST_NAME list | ASK start a new LIST_NAME list with FOOD
        | we need FOOD put it on the LIST_NAME list""",
    "lists_remove": """
        ASK take FOOD off my LIST_NAME list | i have found FOOD_TYPE take it off the list
        | ASK remove FOOD from the LIST_NAME list | ASK delete my LIST_NAME list
        | we do not need FOOD_TYPE on the LIST_NAME list""",
    "iot_hue_lightoff": """
        ASK turn off the light in the HOUSE_PLACE | ASK turn the HOUSE_PLACE light off
        | ASK make it dark in the HOUSE_PLACE | no light in the HOUSE_PLACE please
        | no light in the HOUSE_PLACE at TIME please | i have left the HOUSE_PLACE make it dark
        | WHO will sleep make the HOUSE_PLACE dark""",
    "iot_hue_lightchange": """
        ASK change the HOUSE_PLACE light to COLOR_TYPE | i want COLOR_TYPE light in the HOUSE_PLACE
        | ASK make the light in the HOUSE_PLACE COLOR_TYPE | ASK turn the light COLOR_TYPE
        | the HOUSE_PLACE would be nice in COLOR_TYPE light
        | the HOUSE_PLACE light should be COLOR_TYPE DATE""",
    "iot_wemo_on": """
        ASK turn on the DEVICE_TYPE in the HOUSE_PLACE | ASK start the HOUSE_PLACE DEVICE_TYPE
        | ASK start the DEVICE_TYPE at TIME | i need the DEVICE_TYPE on at TIME
        | it is cold in the HOUSE_PLACE start the DEVICE_TYPE""",
    "iot_coffee": """
        ASK make me COFFEE | i feel MOOD ASK make COFFEE | ASK make COFFEE for WHO
        | COFFEE would be nice now | i want COFFEE at TIME | WHO and i would like COFFEE""",
    "email_sendemail": """
        ASK write a mail to WHO | ASK send WHO a mail about the EVENT_NAME
        | tell WHO by mail about the EVENT_NAME | ASK answer the mail from WHO
        | ASK mail WHO that i feel MOOD""",
    "email_query": """
        did WHO send me a mail DATE | is there any new mail from WHO | ASK read me the mail from WHO
        | what did WHO write about the EVENT_NAME | ASK show me any mail about the EVENT_NAME
        | when did WHO answer my mail""",
    "takeaway_order": """
        ASK order FOOD from BUSINESS_NAME | i feel hungry ASK order FOOD
        | ASK order FOOD for TIME | ASK order FOOD from BUSINESS_NAME for TIME
        | FOOD from BUSINESS_NAME would be nice DATE | let BUSINESS_NAME deliver FOOD at TIME
        | WHO and i want FOOD from BUSINESS_NAME""",
    "transport_ticket": """
        ASK book a TRANSPORT_TYPE ticket from PLACE_NAME to PLACE_NAME
        | i go to PLACE_NAME by TRANSPORT_TYPE get the ticket DATE
        | i need a TRANSPORT_TYPE ticket to PLACE_NAME DATE
        | ASK book WHO a TRANSPORT_TYPE ticket to PLACE_NAME
        | ASK book a TRANSPORT_TYPE to PLACE_NAME""",
    "transport_taxi": """
        ASK call a taxi to GOAL | i need a taxi at TIME to GOAL | ASK find a driver to GOAL
        | WHO will go to GOAL by taxi DATE | i must be at GOAL by TIME call a taxi
        | ASK let a taxi take me to GOAL""",
    "qa_currency": """
        how many CURRENCY_NAME do i get for NUMBER CURRENCY_NAME
        | what are NUMBER CURRENCY_NAME worth in CURRENCY_NAME
        | ASK change NUMBER CURRENCY_NAME to CURRENCY_NAME
        | ASK tell me what NUMBER CURRENCY_NAME are worth""",
    "news_query": """
        what did happen in PLACE_NAME DATE | ASK read me the news from MEDIA_TYPE
        | what does MEDIA_TYPE write about NEWS_TOPIC | is there any news from PLACE_NAME
        | ASK read me NEWS_TOPIC news from PLACE_NAME | ASK show me NEWS_TOPIC news from MEDIA_TYPE
        | what is new about NEWS_TOPIC DATE""",
    "general_joke": """
        ASK tell LISTENER JOKE | i feel MOOD ASK tell LISTENER JOKE | ASK make LISTENER laugh
        | JOKE would make LISTENER laugh | ASK find JOKE for WHO""",
}
# The alternatives of an entity, by its type
FILLERS = {
    "artist_name": "mozart | shakira | nina simone | the golden monkeys",
    "business_name": "the lazy turtle | pizza castle | burger station | marcello",
    "color_type": "yellow | green | purple | orange | dark blue",
    "currency_name": "dollars | euros | yen | rupees | swiss francs",
    "date": "today | tomorrow | DAY | DAY | next DAY | this weekend | MONTH twelfth"
    " | the third of MONTH | the twentieth of MONTH",
    "device_type": "fan | television | heater | coffee machine",
    "event_name": "meeting | birthday party | concert | yoga class | piano lesson",
    "food_type": "bread | honey | cheese | fish | soup | tomatoes | mushrooms | chocolate cake"
    " | chicken sandwiches",
    "house_place": "kitchen | bathroom | office | living room | guest room | garden",
    "list_name": "shopping | holiday | breakfast | party | picnic basket",
    "media_type": "twitter | the daily mirror | the guardian",
    "music_genre": "jazz | opera | reggae | hip hop",
    "news_topic": "football | politics | space travel | climate change",
    "person": "NAME | NAME | NAME SURNAME",
    "place_name": "london | paris | madrid | egypt | new york | san francisco | south africa",
    "relation": "brother | sister | mother | boss | best friend",
    "time": "HOUR | HOUR | half past HOUR | HOUR thirty | HOUR in the morning"
    " | HOUR in the evening | noon | midnight",
    "transport_type": "train | bus | ferry | night train",
    "weather_descriptor": "rain | snow | thunder | strong wind | heavy rain",
}
PARTS = {
    "ASK": "please | could you | can you | i want you to | olly | olly please",
    "COFFEE": "coffee | a cup of coffee | some strong coffee",
    "DAY": "monday | friday | sunday",
    "FOOD": "FOOD_TYPE | FOOD_TYPE | FOOD_TYPE and FOOD_TYPE",
    "GOAL": "PLACE_NAME | [place_name the airport ] | [place_name the central museum ]",
    "HOUR": "three | five | six | seven | nine | eleven",
    "JOKE": "a joke | a funny story | something funny",
    "LISTENER": "me | the children | my RELATION",
    "MONTH": "april | december",
    "MOOD": "tired | lonely | awful",
    "NAME": "anna | peter | oliver | susan | david",
    "NUMBER": "HOUR | twenty | fifty",
    "SPAN": "[time NUMBER minutes ] | [time NUMBER minutes ] | [time half the day ]",
    "SURNAME": "baker | robinson",
    "WHEN": "DATE | at TIME | DATE at TIME | at TIME DATE",
    "WHO": "PERSON | PERSON | my RELATION",
}
RULES = {
    "SENTENCE": " | ".join(f"{intent} {intent.upper()}" for intent in INTENTS),
    **{intent.upper(): requests for intent, requests in INTENTS.items()},
    **{
        entity.upper(): " | ".join(f"[{entity} {filler} ]" for filler in fillers.split("|"))
        for entity, fillers in FILLERS.items()
    },
    **PARTS,
}
SHORTEST, LONGEST = 4, 10  # words
WORDS_THAT_REPEAT = frozenset(
    ("a", "and", "at", "be", "for", "i", "in", "is", "it", "me", "my", "of", "on", "the", "to")
)
MARKS = frozenset({"]", *(f"[{entity}" for entity in FILLERS)})


class RequestGrammar(Grammar):
    """A grammar whose sentences are preceded by their intent and marked with their entities.

    Its sentences are not yet what is said: see `annotation`.

    Examples
    --------
    >>> import numpy as np
    >>> GRAMMAR.sentence(np.random.default_rng(2))
    'transport_taxi i need a taxi at [time five ] to [place_name the airport ]'
    """

    def __init__(self):
        super().__init__(
            RULES, shortest=SHORTEST, longest=100, may_repeat=WORDS_THAT_REPEAT | MARKS
        )

    def vocabulary(self):
        """Return every word that is said, sorted; marks and intents are not."""
        return sorted(set(super().vocabulary()) - MARKS - INTENTS.keys())

    def sentence(self, rng):
        """Draw one marked sentence, see :meth:`Grammar.sentence`."""
        while True:
            marked = super().sentence(rng)
            words = [part for part in marked.split()[1:] if part not in MARKS]
            if SHORTEST <= len(words) <= LONGEST:
                return marked


GRAMMAR = RequestGrammar()


def annotation(marked):
    """Turn a sentence of `GRAMMAR` into what SLURP writes about a sentence.

    Parameters
    ----------
    marked : str
        The intent, then the words, each entity between ``[type`` and ``]``.

    Returns
    -------
    dict
        SLURP's keys sentence, sentence_annotation, scenario, action, intent, tokens (surface and
        id) and entities (type and span, the indices of its tokens).

    Examples
    --------
    >>> found = annotation("alarm_set wake me at [time half past five ]")
    >>> found["sentence_annotation"], found["scenario"], found["action"]
    ('wake me at [time : half past five]', 'alarm', 'set')
    >>> found["entities"]
    [{'span': [3, 4, 5], 'type': 'time'}]
    """
    intent, *parts = marked.split()
    scenario, _, action = intent.partition("_")
    words, entities = [], []
    for part in parts:
        if part.startswith("["):
            entities.append({"span": [len(words)], "type": part[1:]})
        elif part == "]":
            entities[-1]["span"] = list(range(entities[-1]["span"][0], len(words)))
        else:
            words.append(part)
    return {
        "sentence": " ".join(words),
        "sentence_annotation": re.sub(r"\[(\w+) (.*?) \]", r"[\1 : \2]", " ".join(parts)),
        "intent": intent,
        "action": action,
        "tokens": [{"surface": word, "id": place} for place, word in enumerate(words)],
        "scenario": scenario,
        "entities": entities,
    }
