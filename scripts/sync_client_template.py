"""Bring the client template's database files to those of every client's database: the migrations and the seed.

The template holds copies: what is pushed to GitHub must be whole files, and the Supabase CLI reads them in a client's
own repository. `tests/test_client_template.py` fails while they differ. Not here: the app's types of that database,
which are read from a migrated one (`client_database_types.py`).
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "draggonnb_pipelines" / "sql" / "tenant" / "migrations"
SEED = ROOT / "draggonnb_pipelines" / "sql" / "tenant" / "seed.sql"
COPIES = ROOT / "client_template" / "supabase" / "migrations"
SEED_COPY = ROOT / "client_template" / "supabase" / "seed.sql"


def sync(source: Path = SOURCE, copies: Path = COPIES) -> list[str]:
    """Copy what is new or changed, remove what is gone; the names of these files, sorted."""
    copies.mkdir(parents=True, exist_ok=True)
    wanted = {path.name: path for path in source.glob("*.sql")}
    gone = [path for path in copies.iterdir() if path.name not in wanted]
    for path in gone:
        path.unlink()
    changed = [name for name, path in wanted.items() if not _is_same(path, copies / name)]
    for name in changed:
        shutil.copyfile(wanted[name], copies / name)
    return sorted([*changed, *(path.name for path in gone)])


def sync_seed(source: Path = SEED, copy: Path = SEED_COPY) -> bool:
    """Copy the seed if it differs; whether it did."""
    if _is_same(source, copy):
        return False
    shutil.copyfile(source, copy)
    return True


def _is_same(source: Path, copy: Path) -> bool:
    return copy.exists() and copy.read_bytes() == source.read_bytes()


if __name__ == "__main__":
    for name in sync():
        print(name)
    if sync_seed():
        print(SEED_COPY.name)
