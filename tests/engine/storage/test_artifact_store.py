"""The store keeps what it was given, or says that it cannot."""

import errno
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.storage.artifact_store import ArtifactStore, CorruptBlob, Output, StoreError, StoreFull
from tests.fixtures.rooms import fill_disk, small_disk

KEY, OTHER = "a1" * 32, "b2" * 32


@pytest.fixture
def store(tmp_path):
    with ArtifactStore(tmp_path / "store") as store:
        yield store


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def flip(path: Path, place: int = 0) -> None:
    """One bit at rest, the time stamp untouched: what a bad disk does."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# Blobs


def test_a_file_is_found_under_the_digest_of_its_bytes(store, tmp_path):
    path = tmp_path / "ünï.png"
    path.write_bytes(b"picture")
    output = store.put(path)
    assert output == Output("ünï.png", hashlib.sha256(b"picture").hexdigest(), 7)
    assert store.path(output.digest).read_bytes() == b"picture" == path.read_bytes()
    assert store.put_bytes(b"picture", "other.png") == Output("other.png", output.digest, 7)
    assert len(files(store.root / "blobs")) == 1


def test_a_consumed_file_is_gone(store):
    for _ in range(2):  # the second time the store has it already
        path = store.workspace() / "clip.mp4"
        path.write_bytes(b"clip")
        output = store.put(path, name="scene.mp4", consume=True)
        assert (output.name, path.exists()) == ("scene.mp4", False)
    assert store.path(output.digest).read_bytes() == b"clip"


def test_consuming_a_second_name_of_a_blob_leaves_the_blob(store):
    blob = store.put_bytes(b"same", "a")
    link = store.workspace() / "again"
    os.link(store.path(blob.digest), link)
    assert store.put(link, consume=True).digest == blob.digest
    assert store.path(blob.digest).read_bytes() == b"same"


def test_only_plain_files_are_taken(store, tmp_path):
    (tmp_path / "link").symlink_to("/etc/hostname")
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(StoreError, match="not a regular file"):
            store.put(path)
    with pytest.raises(StoreError, match="No such file"):
        store.put(tmp_path / "nothing")


def test_a_blob_is_shown_where_it_is_wanted_under_the_name_that_is_wanted(store, tmp_path):
    output = store.put_bytes(b"data", "a")
    store.link(output.digest, tmp_path / "in" / "0" / "keyframe.png")
    assert (tmp_path / "in" / "0" / "keyframe.png").read_bytes() == b"data"


@given(content=st.binary(max_size=200))
def test_whatever_bytes_go_in_come_out(tmp_path_factory, content):
    with ArtifactStore(tmp_path_factory.getbasetemp() / "shared") as store:
        output = store.put_bytes(content, "x")
        assert (store.path(output.digest).read_bytes(), output.size) == (content, len(content))


@pytest.mark.parametrize("place", [0, 500, -1])
def test_a_flipped_bit_is_found_and_never_served(store, place):
    output = store.put_bytes(b"x" * 1000, "a")
    store.commit(KEY, [output], {})
    flip(store.path(output.digest), place)
    assert store.get_cached(KEY) is None
    assert store.verify() == (output.digest,)
    with pytest.raises(CorruptBlob, match="corrupt"):
        store.path(output.digest)


def test_a_flipped_bit_is_found_by_the_next_process_whatever_this_one_has_checked(store):
    output = store.put_bytes(b"x" * 1000, "a")
    store.commit(KEY, [output], {})
    time.sleep(0.15)
    assert store.get_cached(KEY) is not None
    flip(store.path(output.digest))
    assert ArtifactStore(store.root).get_cached(KEY) is None


def test_what_was_checked_is_not_hashed_again_also_when_the_clock_was_set_back(store):
    output = store.put_bytes(b"a film", "film.mp4")
    path = store.root / "blobs" / output.digest[:2] / output.digest
    tomorrow = time.time() + 86_400
    os.utime(path, (tomorrow, tomorrow))
    store.path(output.digest)
    flip(path)  # only reading all of it again would show
    assert store.path(output.digest) == path
    assert store.verify() == (output.digest,)


def test_a_truncated_or_missing_blob_is_found(store):
    output = store.put_bytes(b"x" * 1000, "a")
    store.commit(KEY, [output], {})
    path = store.path(output.digest)
    path.chmod(0o644)
    os.truncate(path, 10)
    assert store.get_cached(KEY) is None
    path.unlink()
    assert store.get_cached(KEY) is None
    with pytest.raises(CorruptBlob, match="missing"):
        store.path(output.digest)


def test_what_is_damaged_is_mended_by_putting_it_again(store, tmp_path):
    output = store.put_bytes(b"x" * 1000, "a")
    store.commit(KEY, [output], {"made": 1})
    flip(store.path(output.digest))
    store.put_bytes(b"x" * 1000, "a")
    assert store.get_cached(KEY).record == {"made": 1}


# Actions


def test_a_finished_step_is_recalled_with_its_record(store):
    assert store.get_cached(KEY) is None
    outputs = [store.put_bytes(b"one", "b.txt"), store.put_bytes(b"two", "a.txt")]
    record = {"seconds": 0.1, "warnings": ["é 🙂"], "deep": {"list": [1, None, True]}}
    store.commit(KEY, outputs, record)
    action = ArtifactStore(store.root).get_cached(KEY)
    assert (action.key, action.outputs, action.record) == (KEY, tuple(outputs), record)
    assert store.get_cached(OTHER) is None


def test_the_first_commit_wins(store):
    first = store.commit(KEY, [store.put_bytes(b"first", "a")], {"by": 1})
    second = store.commit(KEY, [store.put_bytes(b"second", "a")], {"by": 2})
    assert second == first == store.get_cached(KEY)


def test_a_commit_whose_blobs_are_broken_does_not_win(store):
    first = store.commit(KEY, [store.put_bytes(b"first", "a")], {})
    flip(store.path(first.outputs[0].digest))
    second = store.commit(KEY, [store.put_bytes(b"second", "a")], {})
    assert store.get_cached(KEY) == second


def test_a_flipped_bit_anywhere_in_an_entry_is_found_or_harmless(store):
    """Harmless: in the white space between."""
    action = store.commit(KEY, [store.put_bytes(b"data", "a.txt")], {"seconds": 1.5, "model": "m"})
    (path,) = (store.root / "actions").glob("*/*.json")
    whole = path.read_bytes()
    for place in range(len(whole)):
        flip(path, place)
        assert store.get_cached(KEY) in (None, action)
        path.write_bytes(whole)
    assert store.get_cached(KEY) == action


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"key": 1}', "\0" * 100, '{"check": "", "outputs": 3}'])
def test_an_entry_that_is_none_is_none(store, text):
    store.commit(KEY, [], {})
    (path,) = (store.root / "actions").glob("*/*.json")
    path.write_text(text)
    assert store.get_cached(KEY) is None
    store.commit(KEY, [], {"again": True})
    assert store.get_cached(KEY).record == {"again": True}


def test_an_entry_under_a_wrong_name_is_none(store):
    store.commit(KEY, [], {})
    (path,) = (store.root / "actions").glob("*/*.json")
    wrong = store.root / "actions" / OTHER[:2] / f"{OTHER}.json"
    wrong.parent.mkdir()
    path.rename(wrong)
    assert store.get_cached(OTHER) is None


# Locks and work


def test_one_at_a_time_has_the_right_to_a_key(store):
    lock = store.lock(KEY)
    assert store.lock(KEY) is None
    assert ArtifactStore(store.root).lock(KEY) is None
    other = store.lock(OTHER)
    lock.release()
    lock.release()
    again = store.lock(KEY)
    assert again is not None
    again.release()
    other.release()
    assert files(store.root / "locks") == []


def _count_up(root, path, rounds):
    store = ArtifactStore(root)
    for _ in range(rounds):
        while (lock := store.lock(KEY)) is None:
            pass
        number = int(path.read_text())
        time.sleep(0.0005)
        path.write_text(str(number + 1))
        lock.release()


def test_the_right_to_a_key_is_never_given_twice_even_as_its_file_comes_and_goes(store, tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count_up, args=(store.root, path, 60)) for _ in range(3)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        store.remove_orphans()
        time.sleep(0.002)
    assert path.read_text() == "180"


def test_closing_leaves_nothing_behind(tmp_path):
    with ArtifactStore(tmp_path) as store:
        (store.workspace() / "half").write_text("half")
        assert store.workspace() != store.workspace()
        assert list(store.workspace().iterdir()) == []
    assert files(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_sweep_removes_what_the_dead_left_and_nothing_of_the_living(store):
    mine = store.workspace() / "mine"
    mine.write_text("mine")
    lock = store.lock(OTHER)
    code = (
        "import os, sys; from pathlib import Path; from engine.storage.artifact_store import ArtifactStore\n"
        "store = ArtifactStore(Path(sys.argv[1])); lock = store.lock(sys.argv[2])\n"
        "(store.workspace() / 'half').write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root), KEY], check=False)
    assert any("half" in name for name in files(store.root))
    assert store.remove_orphans() == 2
    assert store.remove_orphans() == 0
    assert not any("half" in name for name in files(store.root))
    assert mine.read_text() == "mine"
    assert store.lock(OTHER) is None
    lock.release()


# Garbage


def age(root: Path, seconds: float) -> None:
    then = time.time() - seconds
    for folder in ("blobs", "actions"):
        for path in (root / folder).rglob("*"):
            os.utime(path, (then, then))


def test_what_nothing_refers_to_is_removed(store):
    shared, dead, given_, loose = (store.put_bytes(text, "x") for text in (b"shared", b"dead!", b"given", b"loose"))
    store.commit(KEY, [shared], {})
    store.commit(OTHER, [shared, dead], {})
    age(store.root, 7200)
    count, freed = store.gc([KEY], [given_.digest])
    assert count == 3
    assert freed > 10
    assert store.get_cached(KEY) is not None
    assert store.get_cached(OTHER) is None
    assert store.path(given_.digest)
    for gone in (dead, loose):
        with pytest.raises(CorruptBlob, match="missing"):
            store.path(gone.digest)


def test_what_was_used_a_moment_ago_stays(store):
    store.commit(KEY, [store.put_bytes(b"old", "x")], {})
    store.commit(OTHER, [store.put_bytes(b"older", "x")], {})
    again = store.put_bytes(b"put again", "x")
    age(store.root, 7200)
    store.get_cached(KEY)
    store.put_bytes(b"put again", "x")
    assert store.gc([])[0] == 2
    assert store.get_cached(KEY) is not None
    assert store.path(again.digest)


def test_two_that_collect_at_the_same_time_do_not_mind_each_other(store):
    for number in range(20):
        store.commit(f"{number:064x}", [store.put_bytes(str(number).encode(), "x")], {})
    age(store.root, 7200)

    class OthersTurn(list):
        """Whenever this one looks, the other one has collected everything."""

        def __contains__(self, key):
            ArtifactStore(store.root).gc([])
            return False

    assert store.gc(OthersTurn()) == (0, 0)
    assert files(store.root / "blobs") == files(store.root / "actions") == []


# No room, no right


def test_a_place_that_cannot_be_written_to_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot use .*file/store as artifact store"):
        ArtifactStore(tmp_path / "file" / "store")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to become")
def test_a_folder_of_somebody_else_says_so(tmp_path):
    ArtifactStore(tmp_path / "store")
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import os, sys; from pathlib import Path; from engine.storage.artifact_store import ArtifactStore, StoreError\n"
        "os.setuid(65534)\n"
        "try: ArtifactStore(Path(sys.argv[1]))\n"
        "except StoreError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], capture_output=True, text=True)
    assert "Permission denied" in told.stdout, told.stderr


def test_a_full_disk_is_said_clearly_and_leaves_nothing_half_written(tmp_path):
    with small_disk(tmp_path / "room", megabytes=2) as room, ArtifactStore(room / "store") as store:
        store.commit(KEY, [store.put_bytes(os.urandom(500_000), "kept")], {})
        before = files(store.root)
        large = tmp_path / "large"
        large.write_bytes(os.urandom(3_000_000))
        for _ in range(2):
            with pytest.raises(StoreFull, match="cannot store large: no disk space left"):
                store.put(large)
            with pytest.raises(StoreFull, match="cannot store more: no disk space left"):
                store.put_bytes(large.read_bytes(), "more")
        assert files(store.root) == before
        assert store.verify() == ()
        assert store.get_cached(KEY) is not None


def test_a_full_disk_while_remembering_leaves_the_step_undone(tmp_path):
    with small_disk(tmp_path / "room", megabytes=1) as room, ArtifactStore(room / "store") as store:
        output = store.put_bytes(b"small", "x")
        fill_disk(room / "fill")
        with pytest.raises(StoreFull):
            store.commit(KEY, [output], {"large": "x" * 100_000})
        assert store.get_cached(KEY) is None
        (room / "fill").unlink()
        store.commit(KEY, [output], {})
        assert store.get_cached(KEY) is not None


def _put_beyond_the_limit(root, answers):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    store = ArtifactStore(root)
    try:
        store.put_bytes(b"x" * 200_000, "large")
    except StoreFull as error:
        answers.put((str(error), error.__cause__.errno, [name for name in files(root) if "new-" in name]))


def test_a_file_larger_than_allowed_is_no_room_too(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_put_beyond_the_limit, args=(tmp_path / "store", answers))
    process.start()
    message, number, halves = answers.get(timeout=30)
    process.join()
    assert (message, number, halves) == ("cannot store large: no disk space left", errno.EFBIG, [])


def test_entries_are_readable_by_people(store):
    store.commit(KEY, [store.put_bytes(b"x", "film.mp4")], {"model": "m"})
    (path,) = (store.root / "actions").glob("*/*.json")
    content = json.loads(path.read_text())
    assert (content["outputs"][0]["name"], content["record"]) == ("film.mp4", {"model": "m"})
