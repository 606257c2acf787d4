"""The page: the bot in a browser, for members, managers and operators, outside Discord."""
