"""Short French sentences from a grammar over some 260 words.

Much of French spelling is silent, so the words were chosen such that the spelling follows from the
sound: "a" is there and "à" is not, nouns stand in the singular or in the plural only, verbs as a
participle or as an infinitive only, and adjectives sound different in the two genders or are spelt
the same. Nouns are sorted by gender and by the sound that they begin with.
"""

from recipes.minicorpora.grammar import Grammar

RULES = {
    "SENTENCE": """
        WHO a DONE THING | WHO a DONE THING WHERE | WHO a DONE THING PAST
        | WHO a DONE CREATURE WHERE | HE a DONE THING WHERE | HE a DONE CREATURE PAST
        | PAST HE a DONE THING | PAST WHO a DONE CREATURE
        | WHO a ACTED HOW WHERE | WHO a ACTED WHERE | WHO a ACTED HOW PAST
        | WHO a ACTED et HE a ACTED
        | HE a DONE COUNT PLURAL WHERE | WHO a DONE COUNT PLURAL
        | COUNT PLURAL ont VANISHED WHERE | PAST COUNT PLURAL ont VANISHED
        | nous avons DONE THING WHERE | nous avons DONE COUNT PLURAL | PAST nous avons DONE THING
        | WHO WILL DO THING FUTURE | HE WILL DO THING WHERE | FUTURE WHO WILL DO CREATURE
        | HE WILL DO COUNT PLURAL FUTURE
        | NAME sait pourquoi HE a DONE THING | HE sait comment NAME a DONE THING
        | NAME sait quand HE WILL DO THING
        | qui a DONE THING WHERE | qui a ACTED WHERE | qui WILL DO THING FUTURE
        | qui a DONE CREATURE
        | STATE | WHO a ALWAYS DONE THING | WHO n'a jamais DONE THING
        | personne n'a DONE THING WHERE | quelqu'un a DONE THING PAST
        | PERSON_NP a MADE FOOD et FOOD | PERSON_NP a MADE FOOD WHEN_MEAL
        | NAME et NAME ont DONE THING | NAME et NAME ont DONE CREATURE PAST
        | NAME était MOOD parce QUE_HE a DONE THING | PERSON_NP a ACTED sans CREATURE
    """,
    "STATE": """
        le OBJECT_M était ADJECTIVE_M et ADJECTIVE_M | la OBJECT_F était ADJECTIVE_F et ADJECTIVE_F
        | le OBJECT_M n'était pas ADJECTIVE_M | la OBJECT_F n'était pas ADJECTIVE_F
        | mon OBJECT_M était toujours ADJECTIVE_M | ma OBJECT_F était toujours ADJECTIVE_F
    """,
    "WHO": "PERSON_NP | PERSON_NP | PERSON_NP | CREATURE",
    "PERSON_NP": "MAN_NP | MAN_NP | WOMAN_NP | WOMAN_NP | NAME",
    "MAN_NP": "le MAN | le MAN MOOD_M | un MAN MOOD_M | mon MAN | le jeune MAN | chaque MAN"
    " | l'avocat MOOD_M | un avocat",
    "WOMAN_NP": "la WOMAN | la WOMAN MOOD_F | une WOMAN MOOD_F | ma WOMAN | la jeune WOMAN"
    " | l'infirmière MOOD_F | une infirmière",
    "CREATURE": "le ANIMAL_M | le ANIMAL_M MOOD_M | un ANIMAL_M MOOD_M | la ANIMAL_F"
    " | la ANIMAL_F MOOD_F | une ANIMAL_F MOOD_F | l'éléphant | un éléphant MOOD_M",
    "THING": "THING_M | THING_F",
    "THING_M": "le OBJECT_M | le OBJECT_M ADJECTIVE_M | un OBJECT_M ADJECTIVE_M | mon OBJECT_M"
    " | ce OBJECT_M | le petit OBJECT_M | un grand OBJECT_M ADJECTIVE_M | chaque OBJECT_M"
    " | l'ordinateur ADJECTIVE_M | un ordinateur",
    "THING_F": "la OBJECT_F | la OBJECT_F ADJECTIVE_F | une OBJECT_F ADJECTIVE_F | ma OBJECT_F"
    " | cette OBJECT_F | la petite OBJECT_F | une grande OBJECT_F ADJECTIVE_F | chaque OBJECT_F"
    " | l'assiette | l'échelle | une échelle ADJECTIVE_F",
    "HE": "il | elle",
    "QUE_HE": "qu'il | qu'elle",
    "MAN": "fermier | professeur | médecin | capitaine | peintre | soldat | boulanger | frère"
    " | garçon | juge",
    "WOMAN": "reine | fille | chanteuse | voisine | tante | nièce",
    "NAME": "Marie | Victor | Sophie | Julien | Camille | Hugo",
    "ANIMAL_M": "chien | lapin | tigre | singe | cheval | canard",
    "ANIMAL_F": "tortue | souris | vache | chèvre",
    "MOOD": "triste | célèbre | calme | timide | riche | bizarre",
    "MOOD_M": "MOOD | heureux | méchant",
    "MOOD_F": "MOOD | heureuse | méchante",
    "OBJECT_M": "panier | marteau | livre | sifflet | vélo | bouton | billet | miroir"
    " | crayon | tapis | journal | parapluie | piano | coussin",
    "OBJECT_F": "bouteille | table | fenêtre | lettre | bougie | couverture | guitare | veste"
    " | lanterne | trompette | montre | valise | chaise",
    "ADJECTIVE": "rouge | rose | étrange | fragile | magnifique | propre | vide",
    "ADJECTIVE_M": "ADJECTIVE | lourd | vert | blanc",
    "ADJECTIVE_F": "ADJECTIVE | lourde | verte | blanche",
    "COUNT": "deux | trois | quatre | cinq | onze | douze | vingt | plusieurs | quelques",
    "PLURAL": "pommes | fleurs | citrons | tomates | ballons | pierres | carottes | chaussures"
    " | champignons | biscuits | feuilles",
    "VANISHED": "disparu | brûlé",
    "DONE": "vendu | trouvé | lavé | perdu | vu | compté | oublié | regardé | suivi"
    " | nettoyé | admiré | touché | cherché | dessiné | emprunté | choisi",
    "DO": "cacher | garder | acheter | décrire | découvrir | protéger | fabriquer | envoyer"
    " | échanger | emballer | apporter",
    "WILL": "veut | doit | préfère | pourrait",
    "ACTED": "dormi | dansé | attendu | travaillé | chuchoté | sauté | écouté | joué | chanté"
    " | voyagé | couru",
    "HOW": "lentement | rapidement | soudain | doucement | encore | prudemment",
    "ALWAYS": "toujours | souvent",
    "MADE": "mangé | goûté | commandé | partagé | préparé",
    "FOOD": "du FOOD_M | du FOOD_M | du FOOD_M | de la soupe",
    "FOOD_M": "pain | café | chocolat | fromage | poisson",
    "WHEN_MEAL": "avant le MEAL | après le MEAL",
    "MEAL": "déjeuner | dîner | repas",
    "WHERE": "NEAR_M PLACE_M | NEAR_F PLACE_F | NEAR_VOWEL PLACE_VOWEL",
    "NEAR_M": "dans le | derrière le | devant le | près du",
    "NEAR_F": "dans la | derrière la | devant la | près de la",
    "NEAR_VOWEL": "dans | derrière | devant | près de",
    "PLACE_M": "village | marché | château | musée | jardin | bureau | restaurant | théâtre",
    "PLACE_F": "cuisine | forêt | montagne | rivière | vallée | bibliothèque | ferme | plage",
    "PLACE_VOWEL": "l'église | l'école | l'hôpital | l'usine",
    "PAST": "hier | ce TIME_M | cette TIME_F | la TIME_F passée | DAY | en MONTH | chaque TIME_M",
    "FUTURE": "demain | aujourd'hui | la TIME_F prochaine | DAY | en MONTH | ce TIME_M",
    "TIME_M": "matin | soir",
    "TIME_F": "semaine | nuit",
    "DAY": "lundi | vendredi | dimanche",
    "MONTH": "décembre | avril",
}
MAY_REPEAT = frozenset(
    {"le", "la", "un", "une", "mon", "ma", "ce", "cette", "chaque", "du", "de", "et", "a"}
)
QUESTION_WORDS = frozenset({"qui"})
GRAMMAR = Grammar(RULES, may_repeat=MAY_REPEAT)
