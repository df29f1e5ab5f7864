"""The plan of a sync: additions, changes, moves and deletions, and what is refused."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.sync.folder import FolderScan
from ingest.sync.plan import Order, Plan, compare
from rag.store.synced import SyncedDocument

HERE, THERE = "/srv/handbook", "/srv/other"
FOLLOW = Order("handbook", HERE, delete_missing=True)
FORCED = Order("handbook", HERE, delete_missing=True, force=True)


def known(*documents: tuple[str, str, str | None]) -> dict[str, SyncedDocument]:
    return {name: SyncedDocument(name, sha256, folder) for name, sha256, folder in documents}


def planned(files: dict[str, str], documents: dict[str, SyncedDocument], order: Order = FORCED) -> Plan:
    return compare(FolderScan(files), documents, order)


def test_each_kind_of_difference() -> None:
    files = {"same.md": "a", "changed.md": "b2", "new.md": "n", "to/place.md": "m"}
    documents = known(
        ("same.md", "a", HERE), ("changed.md", "b1", HERE), ("place.md", "m", HERE), ("gone.md", "g", HERE)
    )
    assert planned(files, documents) == Plan(
        added=("new.md",),
        modified=("changed.md",),
        moved=(("place.md", "to/place.md"),),
        deleted=("gone.md",),
        unchanged=("same.md",),
    )


def test_nothing_is_deleted_unasked_and_a_move_is_no_deletion() -> None:
    documents = known(("place.md", "m", HERE), ("gone.md", "g", HERE))
    plan = planned({"to/place.md": "m"}, documents, Order("handbook", HERE))
    assert (plan.moved, plan.deleted) == ((("place.md", "to/place.md"),), ())


def test_a_copy_is_no_move() -> None:
    plan = planned({"a.md": "x", "b.md": "x"}, known(("a.md", "x", HERE)))
    assert (plan.added, plan.moved, plan.unchanged) == (("b.md",), (), ("a.md",))


def test_as_many_are_moved_as_were_there() -> None:
    files = {"new/1.md": "x", "new/2.md": "x", "new/3.md": "x"}
    plan = planned(files, known(("1.md", "x", HERE), ("2.md", "x", HERE)))
    assert plan.moved == (("1.md", "new/1.md"), ("2.md", "new/2.md"))
    assert (plan.added, plan.deleted) == (("new/3.md",), ())


def test_another_suffix_is_read_in_another_way_and_no_move() -> None:
    plan = planned({"table.txt": "x"}, known(("table.csv", "x", HERE)))
    assert (plan.added, plan.moved, plan.deleted) == (("table.txt",), (), ("table.csv",))
    assert planned({"B.CSV": "x"}, known(("a.csv", "x", HERE))).moved == (("a.csv", "B.CSV"),)


def test_what_no_sync_of_this_folder_saw_is_never_moved_or_deleted() -> None:
    documents = known(("uploaded.md", "u", None), ("theirs.md", "t", THERE), ("mine.md", "m", HERE))
    plan = planned({"mine.md": "m", "copy.md": "u", "copy of theirs.md": "t"}, documents)
    assert (plan.moved, plan.deleted) == ((), ())
    assert plan.added == ("copy of theirs.md", "copy.md")


def test_an_upload_of_the_same_name_follows_the_folder_from_then_on() -> None:
    documents = known(("same.md", "s", None), ("changed.md", "c1", None))
    plan = planned({"same.md": "s", "changed.md": "c2"}, documents)
    assert (plan.unchanged, plan.modified) == (("same.md",), ("changed.md",))


def test_two_folders_do_not_fight_over_a_name() -> None:
    documents = known(("readme.md", "theirs", THERE), ("licence.md", "same", THERE))
    files = {"readme.md": "mine", "licence.md": "same"}
    plan = planned(files, documents, FOLLOW)
    assert (plan.modified, plan.unchanged) == ((), ("licence.md",))
    assert plan.failed == {
        "readme.md": "It is synced from /srv/other; rename it here or there, or take it over by force."
    }
    assert planned(files, documents, FORCED).modified == ("readme.md",)


def test_more_than_a_fifth_is_deleted_by_force_alone() -> None:
    documents = known(*[(f"{n:02}.md", str(n), HERE) for n in range(10)], ("up.md", "u", None))
    all_but_two = {f"{n:02}.md": str(n) for n in range(8)}
    assert planned(all_but_two, documents, FOLLOW).refusal == ""  # 2 of 10 = 20 %
    del all_but_two["07.md"]
    refused = planned(all_but_two, documents, FOLLOW)
    assert refused.deleted == ("07.md", "08.md", "09.md")
    assert refused.refusal == (
        "/srv/handbook lacks 3 of the 10 documents of 'handbook' that were synced from it, more than 20%; "
        "nothing was changed. If they are to be deleted, force it."
    )
    assert planned(all_but_two, documents, FORCED).refusal == ""
    assert planned(all_but_two, documents, Order("handbook", HERE)).refusal == ""


def test_an_empty_folder_is_refused_even_by_force() -> None:
    for documents in (known(("a.md", "x", HERE)), {}):
        for order in (FORCED, FOLLOW, Order("handbook", HERE)):
            refusal = (
                "/srv/handbook holds no file that can be read; is its disk mounted? Nothing was changed."
            )
            assert planned({}, documents, order).refusal == refusal
    unreadable = compare(FolderScan({}, {"a.md": "It is locked."}), {}, FORCED)
    assert unreadable.refusal


def test_what_cannot_be_read_or_seen_is_not_missing() -> None:
    found = FolderScan({"a.md": "x"}, {"locked.md": "It is locked."}, ("closed", "sub/closed"))
    names = ("a.md", "locked.md", "closed/1.md", "sub/closed/deep/2.md", "closed.md", "sub/open.md")
    plan = compare(found, known(*[(name, "x", HERE) for name in names]), FORCED)
    assert plan.deleted == ("closed.md", "sub/open.md")
    assert plan.failed == {"locked.md": "It is locked."}


CONTENTS = st.dictionaries(st.sampled_from([f"{n}.md" for n in range(8)]), st.sampled_from("abcd"))


@given(CONTENTS.filter(bool), CONTENTS, st.sets(st.sampled_from([f"{n}.md" for n in range(8)])))
def test_a_plan_carried_out_makes_the_corpus_the_folder(
    files: dict[str, str], documents: dict[str, str], uploaded: set[str]
) -> None:
    held = known(*[(n, sha, None if n in uploaded else HERE) for n, sha in sorted(documents.items())])
    plan = planned(files, held)

    corpus = dict(documents)
    for old, new in plan.moved:
        assert new not in corpus
        corpus[new] = corpus.pop(old)
    corpus |= {name: files[name] for name in (*plan.added, *plan.modified)}
    for name in plan.deleted:
        del corpus[name]

    assert corpus == {**{n: s for n, s in documents.items() if n in uploaded}, **files}
    arrived = (*plan.added, *plan.modified, *plan.unchanged, *(new for _, new in plan.moved))
    assert Counter(arrived) == Counter(files.keys())  # each file once
