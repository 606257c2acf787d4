"""The questions of `tests.bench.lessons`: corrected ones with paraphrases and a checker, and others."""

from typing import NamedTuple


class Corrected(NamedTuple):
    """A question, what its answer should be, a pattern of the fact in it, and other wordings of the question."""

    question: str
    right: str
    fact: str
    paraphrases: tuple[str, ...]


CORRECTED = (
    Corrected(
        "Where do we meet for the hike?",
        "We meet for the hike at the water tower, at half past seven.",
        r"water tower|half past seven|7[:.]30",
        (
            "Where is the meeting point for the hike?",
            "When do we meet for the hike?",
            "hike: where to meet?",
            "I want to come to the hike, where do I have to go?",
            "Do we meet at the station for the hike?",
        ),
    ),
    Corrected(
        "What is the guest wifi called?",
        "The guest wifi is called Heron, and the password is on the fridge.",
        r"heron|fridge",
        (
            "What's the name of the guest wifi?",
            "How do guests get on the wifi?",
            "guest wifi name",
            "Which wifi should my guests use?",
            "Is there wifi for guests?",
        ),
    ),
    Corrected(
        "How much does a membership cost?",
        "A membership costs 14 euros a month; students pay 9.",
        r"\b14\b|\b9\b|fourteen|nine",
        (
            "What does a membership cost?",
            "membership cost per month?",
            "How much is a membership for students?",
            "Is the membership free?",
            "What would I pay for a membership?",
        ),
    ),
    Corrected(
        "Who feeds the cat on weekends?",
        "Olga feeds the cat on weekends.",
        r"olga",
        (
            "Who is feeding the cat this weekend?",
            "Which person feeds the cat on the weekend?",
            "Who feeds our cat on Sunday?",
            "Do I have to feed the cat on weekends?",
            "cat feeding at the weekend: who?",
        ),
    ),
    Corrected(
        "What version does the Minecraft server run?",
        "The Minecraft server runs version 1.21.4, with the Tundra mod.",
        r"1\.21|tundra",
        (
            "Which version of Minecraft is the server on?",
            "minecraft server version?",
            "What Minecraft version do I need for the server?",
            "Does the Minecraft server run the newest version?",
            "Tell me the version that our Minecraft server runs.",
        ),
    ),
    Corrected(
        "How do I cancel my order?",
        'Reply to the order email with the word "heron" within two hours.',
        r"heron|two hours|2 hours|order email",
        (
            "I want to cancel my order, how?",
            "Can I cancel an order?",
            "How can an order be cancelled?",
            "cancelling my order",
            "What must I do to cancel the order I placed?",
        ),
    ),
    Corrected(
        "Which plants are poisonous for cats here?",
        "The lily and the yucca on the balcony are poisonous for cats.",
        r"lily|yucca",
        (
            "What plants here are poisonous for cats?",
            "Are any of the plants here poisonous for a cat?",
            "Plants that are poisonous to cats?",
            "Is one of our plants poisonous for cats?",
            "Which of the plants should cats not eat because they are poisonous?",
        ),
    ),
    Corrected(
        "What does error E17 mean?",
        "E17 means that the paper tray is open.",
        r"paper|tray",
        (
            "What is error E17?",
            "The printer says error E17, what does that mean?",
            "error E17 meaning",
            "How do I get rid of error E17?",
            "E17 error?",
        ),
    ),
    Corrected(
        "When is the library closed?",
        "The library is closed on Wednesdays and in August.",
        r"wednesday|august",
        (
            "On which days is the library closed?",
            "Is the library closed today?",
            "When does the library close?",
            "library closed when?",
            "Tell me when the library is closed.",
        ),
    ),
    Corrected(
        "停车证怎么办理？",
        "停车证在三号楼一层的前台办理，需要带身份证。",
        r"三号楼|前台|身份证",
        ("怎么办理停车证？", "停车证在哪里办理？", "我想办理停车证", "办停车证要什么？", "请问停车证怎么办？"),
    ),
)

OTHERS = tuple(
    """What is the capital of Norway?
How do I boil an egg?
Who wrote Hamlet?
What is 12 times 9?
Explain photosynthesis in one sentence.
Where do penguins live?
How far is the moon?
Tell me a joke.
What does HTML stand for?
How do I tie a tie?
Who was the first person on the moon?
Name three fruits.
What is the boiling point of water?
When did the war end?
How many legs does a spider have?
Hi there!
Write a haiku about rain.
What is a prime number?
How do I make tea?
Which is the largest ocean?
What does the word ubiquitous mean?
How do I cancel a meeting?
Who feeds the birds in the park?
Where do we park?
What is my name?
How much does an elephant weigh?
When is Easter?
What is Python?
Which plants grow in the shade?
What version of Windows is the newest?
How do I order a pizza?
When is the museum closed?
What is the guest list?
Who runs the kitchen on weekends?
What is DNA?
How do I sort a list in Python?
Why is the sky blue?
What does error 404 mean?
How old is the sun?
Recommend a film.
How much sugar is in cola?
What is a good name for a cat?
Where is Peru?
How do I clean a window?
What time is it in Tokyo?
你好
水在多少度沸腾？
怎么做番茄炒蛋？
北京在哪里？
What is the opposite of hot?""".splitlines()
)
