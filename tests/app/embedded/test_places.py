import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded import places as places_module
from app.embedded.account import server_account
from app.embedded.places import ELSEWHERE, open_places
from app.errors import Mistake

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's servers run as that user")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_it_makes_closed_folders_and_finds_them_again(folder: Path):
    first, second = open_places(folder / "home"), open_places(folder / "home")
    assert first == second
    assert stat.S_IMODE(first.servers.stat().st_mode) == stat.S_IMODE(first.sockets.stat().st_mode) == 0o700
    first.tidy()


def test_it_leaves_the_folders_above_as_they_are(folder: Path):
    folder.chmod(0o700)
    places = open_places(folder / "home")
    places.tidy()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@as_root
def test_roots_servers_live_elsewhere_if_their_account_cannot_enter(folder: Path):
    folder.chmod(0o700)
    places = open_places(folder / "home")
    account = server_account()
    assert account is not None
    assert places.servers.parent == ELSEWHERE
    assert (folder / "home" / "servers").readlink() == places.servers
    assert places.servers.stat().st_uid == account.uid != 0
    places.tidy()
    assert not places.servers.exists()


@as_root
def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(folder: Path):
    folder.chmod(0o700)
    open_places(folder / "home").tidy()
    (folder / "home" / "servers").symlink_to(ELSEWHERE / "gone")
    with pytest.raises(Mistake, match="Put it back, or delete"):
        open_places(folder / "home")


@as_root
def test_the_data_folder_of_somebody_else_is_left_alone(folder: Path):
    home = folder / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    with pytest.raises(Mistake, match="belongs to another user"):
        open_places(home)
    assert list(home.iterdir()) == []


@as_root
def test_the_other_place_can_be_passed_through_whatever_the_umask(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places_module, "ELSEWHERE", folder / "elsewhere")
    (folder / "closed").mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        places = open_places(folder / "closed" / "home")
    finally:
        os.umask(before)
    assert places.account
    assert places.account.can_enter(places.servers)
    places.tidy()
