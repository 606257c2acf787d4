"""The benchmark's converters, on made-up data in the published formats."""

import json

from tests.bench.real_data import real_rows


def _reply(text, rank=None, replies=(), role="assistant", **more):
    return {"message_id": text, "text": text, "role": role, "rank": rank, "replies": list(replies), **more}


def test_open_assistant_gives_every_pair_of_ranked_siblings(tmp_path):
    follow_up = _reply("And then?", role="prompter", replies=[_reply("x", 0), _reply("y", 1)])
    answers = [_reply("worst", 2), _reply("best", 0, [follow_up]), _reply("middle", 1), _reply("unranked")]
    answers.append(_reply("gone", 0, deleted=True))
    tree = {"message_tree_id": "t", "prompt": _reply("Question?", role="prompter", replies=answers)}
    path = tmp_path / "open-assistant-100/model/model_eval/manual/data/en_100_tree.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(tree) + "\n")
    rows = real_rows(tmp_path, "oasst")
    found = {(row.data["chosen"][0]["content"], row.data["rejected"][0]["content"]) for row in rows}
    assert found == {("best", "middle"), ("best", "worst"), ("middle", "worst"), ("x", "y")}
    deep = next(row for row in rows if row.data["chosen"][0]["content"] == "x")
    assert [turn["content"] for turn in deep.data["prompt"]] == ["Question?", "best", "And then?"]
    assert [turn["role"] for turn in deep.data["prompt"]] == ["user", "assistant", "user"]


def test_sharegpt_pairs_and_what_is_not_there(tmp_path):
    entry = {
        "conversations": [{"from": "system", "value": "Kind."}, {"from": "human", "value": "你好"}],
        "chosen": {"from": "gpt", "value": "你好！"},
        "rejected": {"from": "gpt", "value": "不"},
    }
    same = {**entry, "rejected": entry["chosen"]}
    path = tmp_path / "llamafactory-demo/data/dpo_zh_demo.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([entry, same]))
    (row,) = real_rows(tmp_path, "dpo_zh")  # equal answers make no preference
    assert row.data["prompt"][1] == {"role": "user", "content": "你好"}
    assert row.data["chosen"][0]["content"] == "你好！"
    assert real_rows(tmp_path, "oasst") is None
