"""The revision that the code needs is the one that Alembic would migrate to."""

from alembic.script import ScriptDirectory

from models.db.migrate import configuration
from models.db.revisions import head, is_migrated, known_revisions


def test_the_head_is_that_of_alembic() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert [head()] == scripts.get_heads()
    assert known_revisions() == {script.revision for script in scripts.walk_revisions()}


def test_a_newer_schema_is_accepted_and_an_older_one_is_not() -> None:
    older = min(known_revisions())
    assert [is_migrated(revision) for revision in (head(), "9999", older, None)] == [True, True, False, False]
