"""A run folder belongs to one run, however many begin at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganforge.api.runs import summary
from ganforge.errors import RunError
from ganforge.run import Run, founded, refuse_existing


def test_two_that_begin_at_once_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with founded(None, "my photos/", force=False) as one, founded(None, "my photos/", force=False) as other:
        one.recipe.write_text("{}")
        other.recipe.write_text("{}")
        assert [one.folder, other.folder] == [Path("runs/my-photos-1"), Path("runs/my-photos-2")]


@pytest.mark.parametrize("force", [False, True])
def test_a_second_trainer_leaves_the_files_of_the_first_alone(tmp_path: Path, force: bool) -> None:
    with founded(tmp_path / "run", "digits", force=False) as run:
        run.recipe.write_text("{}")
        with pytest.raises(RunError, match="in use by process"), founded(run.folder, "digits", force=force):
            pytest.fail("two had one folder")
        assert run.recipe.read_text() == "{}"


def test_a_run_that_came_to_be_in_between_is_kept_without_force_and_replaced_with_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    refuse_existing(run, force=False)
    (run.folder / "model").mkdir(parents=True)
    run.recipe.write_text("first")
    with pytest.raises(RunError, match="already a run"), founded(run.folder, "digits", force=False):
        pytest.fail("a run was overwritten")
    assert run.recipe.read_text() == "first"
    with founded(run.folder, "digits", force=True):
        assert [path.name for path in run.folder.iterdir()] == ["lock"]


def test_a_folder_of_other_files_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="not a run"), founded(tmp_path, "digits", force=True):
        pytest.fail("a folder of other files was taken")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_fails_before_the_recipe_is_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), founded(tmp_path / "run", "digits", force=False) as run:
        run.passport.write_text("{}")
        raise OSError("full")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"task": "generate", "data": 7}'])
def test_a_damaged_recipe_is_a_line_in_the_table_of_runs(tmp_path: Path, content: str) -> None:
    (tmp_path / "recipe.json").write_text(content)
    assert summary(Run(tmp_path)).state == "damaged"
