"""Discord: a thin layer around `bot.conversation`, which decides. Here it is shown and clicked.

Arrows point down: `client` and `listeners`; `presses`, `hearing` and `commands`; `rating`, `answering` and `compare`;
`buttons`, `windows`, `telling` and `place`. `app` holds the parts that they share. Another bot loads it as `parley`.
"""
