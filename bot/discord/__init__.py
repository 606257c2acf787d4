"""Discord: a thin layer around `bot.conversation`. The core decides; this package shows answers and takes clicks.

Imports go down this list: `client` and `listeners`; `presses`, `hearing` and `commands`; `rating`, `answering` and
`compare`; `buttons`, `windows`, `telling` and `place`. `app` holds the parts that they share. Another bot loads the
package as `parley`.
"""
