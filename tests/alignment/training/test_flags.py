"""The words of a command line."""

import pytest

from alignment.training.flags import as_flag, flag_names, once, without
from data.errors import BadInput


def test_a_list_that_is_given_in_two_places_has_all_its_values():
    words = ["--dataset_name", "a", "--seed", "1", "--dataset-name=b", "--dataset_name", "c", "d"]
    assert once(words, {"dataset_name"}) == ["--dataset_name", "a", "b", "c", "d", "--seed", "1"]


def test_another_flag_that_is_given_twice_is_refused():
    with pytest.raises(BadInput, match=r"--seed is given twice, with 1 and with 2\. Give it once"):
        once(["--seed", "1", "--seed=2"], {"dataset_name"})
    with pytest.raises(BadInput, match="--packing is given twice, with no value and with false"):
        once(["--packing", "--packing", "false"], set())
    assert once(["--seed", "1", "--seed=1"], set()) == ["--seed", "1"]


def test_words_that_are_no_flags_and_negative_numbers_stay_where_they_are():
    words = ["stray", "--max_steps", "-1", "--packing"]
    assert once(words, {"dataset_name"}) == words


def test_a_flag_is_taken_out_with_its_values():
    words = ["--dataset_name", "a", "b", "--learning-rate=1", "--packing", "--seed", "3"]
    assert without(words, {"dataset_name", "learning_rate", "packing"}) == ["--seed", "3"]
    assert flag_names(words) == ["dataset_name", "learning_rate", "packing", "seed"]


def test_a_setting_becomes_the_words_that_are_read_back():
    assert as_flag("packing", True) == ["--packing", "true"]
    assert as_flag("dataset_name", ["a", "b"]) == ["--dataset_name", "a", "b"]
    assert as_flag("learning_rate", -1) == ["--learning_rate=-1"]
