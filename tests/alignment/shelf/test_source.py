"""Where a base comes from."""

import json

import pytest

from alignment.shelf import source
from data.errors import BadInput


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, with one model in it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "c" * 40
    snapshot = tmp_path / "hub" / "models--moss--fern" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return snapshot


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    found = source.find(str(tmp_path))
    assert (found.name, found.revision, found.sizes) == (str(tmp_path.resolve()), "", {"config.json": 2})


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("../moss", "There is no folder"),
        ("a/b/c", "There is no folder"),
        (".", "holds no model: there is no config.json"),
        ("file.gguf", "is a file.*--gguf"),
        ("moss/gone", r"no model of that id in the Hugging Face cache.*--allow_download"),
    ],
)
def test_what_is_nowhere_is_a_sentence(name, sentence, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.gguf").write_text("GGUF")
    with pytest.raises(BadInput, match=sentence):
        source.find(name)


def test_the_cache_is_used_without_a_download_and_the_commit_is_the_revision(cache):
    found = source.find("moss/fern")
    assert (found.name, found.revision, found.folder) == ("moss/fern", "c" * 40, cache)
    (cache / "config.json").unlink()
    with pytest.raises(BadInput, match=r"in parts only.*--allow_download"):
        source.find("moss/fern")


class Hub:
    """The hub's client, with one model of two files in a folder."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def model_info(self, model, files_metadata):
        if self.error:
            raise self.error
        names = {"config.json": 2, "model.safetensors": 80, "onnx/model.onnx": 5}
        files = [type("File", (), {"rfilename": name, "size": size}) for name, size in names.items()]
        return type("About", (), {"sha": "d" * 40, "siblings": files})


def test_from_the_hub_the_small_files_come_first_and_the_weights_when_asked(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda _, **options: asked.append(options) or str(tmp_path)
    )
    found = source.find("moss/fern", allow_download=True, say=lambda _: None)
    assert (found.revision, found.sizes) == ("d" * 40, {"config.json": 2, "model.safetensors": 80})
    assert asked == [{"revision": "d" * 40, "allow_patterns": ["config.json"]}]
    found.fetch(["model.safetensors"])
    assert asked[1] == {"revision": "d" * 40, "allow_patterns": ["model.safetensors"]}


def hub_errors():
    import httpx2 as httpx
    from huggingface_hub import errors

    response = httpx.Response(403, request=httpx.Request("GET", "https://hub"))
    return [
        (errors.GatedRepoError("no", response=response), "accept its licence.*HF_TOKEN"),
        (errors.RepositoryNotFoundError("no", response=response), "the hub has no model of that id"),
        (errors.HfHubHTTPError("503 busy", response=response), "was not fetched: 503 busy"),
        (errors.OfflineModeIsEnabled("offline"), "the hub cannot be reached"),
        (httpx.ConnectError("no route"), r"the hub cannot be reached \(no route\)"),
    ]


@pytest.mark.parametrize("number", range(5))
def test_the_hubs_errors_are_sentences(number, monkeypatch):
    error, sentence = hub_errors()[number]
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Hub(error))
    with pytest.raises(BadInput, match=f"moss/fern.*{sentence}"):
        source.find("moss/fern", allow_download=True, say=lambda _: None)
