"""The language of a text, by its script and its commonest words."""

import unicodedata

# Scripts that (here) belong to one language, by the beginning of their characters' Unicode names.
_SCRIPTS = {
    "ko": "HANGUL",
    "th": "THAI",
    "ta": "TAMIL",
    "te": "TELUGU",
    "kn": "KANNADA",
    "ml": "MALAYALAM",
    "gu": "GUJARATI",
    "pa": "GURMUKHI",
    "bn": "BENGALI",
    "el": "GREEK",
    "he": "HEBREW",
}
# For languages that share a script: words that stand in almost every sentence.
_COMMON = {
    "LATIN": {
        "en": "the of and to in is that it for you with are this was on not be as have your",
        "de": "der die das und ist nicht ein eine zu den mit sich von auf für dem auch ich wir sind",
        "fr": "le la les et est des une pas dans que pour qui sur avec vous nous sont du au ce",
        "es": "el la los las y es una que en por para con no se del su como más pero lo",
        "it": "il lo la gli le e è di che non per una con sono del della nel si ma come",
        "pt": "o a os as e é de que não para uma com do da em no na se mais por você",
        "fi": "ja on ei se että hän oli olla ovat mutta kun niin joka tämä minä voi sekä myös kuin mitä",
        "sw": "na ya wa kwa ni za katika la kuwa hii cha kama si yake hiyo watu lakini sana pia ili",
        "vi": "là và của có không được cho một những người trong với các này để khi tôi đã bạn như",
    },
    "CYRILLIC": {
        "ru": "и в не на что это с как по но из у за от так его вы для мы был",
        "bg": "и в не на че това с как по но от за се да са е ще си съм който",
    },
    "DEVANAGARI": {
        "hi": "है हैं के का की में और को से पर यह नहीं एक कि लिए भी था थे हो ने",
        "mr": "आहे आहेत आणि च्या ला मध्ये हे ही तो नाही एक या साठी होते होता पण मी आपण त्या करून",
        "ne": "छ छन् को का र मा हो लाई यो पनि एक गर्न भएको हुन्छ छैन तर गर्ने ले तपाईं हुन्",
    },
    "ARABIC": {
        "ar": "في من على إلى أن هذا التي الذي عن مع لا ما هو هي كان كل بعد أو ذلك قد",
        "fa": "در از به که این را با است برای آن یک می و هم تا بر شده خود های بود",
        "ur": "میں کے کی ہے اور کا کو سے پر یہ نے ہیں ایک کہ بھی نہیں تھا وہ اس لیے",
    },
}
LANGUAGES = frozenset([*_SCRIPTS, *(name for group in _COMMON.values() for name in group), "zh", "ja"])


def language(text: str) -> str | None:
    """The language of a text (ISO 639-1): by its script, within a script by its commonest words; None if undecided.

    Good enough for a paragraph; a line or two of a language that shares its script may stay undecided.
    """
    scripts: dict[str, int] = {}
    for sign in text:
        if sign.isalpha():
            script = unicodedata.name(sign, "?").split(" ")[0]
            scripts[script] = scripts.get(script, 0) + 1
    if not scripts:
        return None
    kana = scripts.pop("HIRAGANA", 0) + scripts.pop("KATAKANA", 0) + scripts.pop("KATAKANA-HIRAGANA", 0)
    han = scripts.get("CJK", 0)
    # Japanese mixes kana with Chinese characters; Chinese has no kana.
    if kana + han > sum(scripts.values()) - han:
        return "ja" if kana * 10 > han else "zh"
    script = max(scripts, key=lambda name: scripts[name])
    for name, prefix in _SCRIPTS.items():
        if script == prefix:
            return name
    return _by_words(text, _COMMON.get(script, {}))


def _by_words(text: str, common: dict[str, str]) -> str | None:
    # Not `words`: to a regular expression the vowel signs of Indian scripts are not letters.
    found = [part.strip(".,;:!?\"'()[]*-—।،؟“”") for part in text.casefold().split()]
    counts = {name: sum(part in set(listed.split()) for part in found) for name, listed in common.items()}
    best = sorted(counts, key=lambda name: -counts[name])[:2]
    if not best or counts[best[0]] == 0 or (len(best) > 1 and counts[best[0]] == counts[best[1]]):
        return None
    return best[0]
