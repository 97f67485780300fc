"""Which rights each verb of the agent keeps."""

from __future__ import annotations

from runner.agent.__main__ import VERBS
from runner.agent.confined.privileges import LOOKING, WHOLE, WRITING


def test_of_each_verb_it_is_said_which_rights_it_keeps() -> None:
    said = (*LOOKING, *WRITING, *WHOLE)
    assert sorted(said) == sorted(VERBS)
