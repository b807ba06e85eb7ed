"""What a later version says differently, figure by figure; what tells of the version itself is no difference."""

from draggonnb_pipelines.domain.restatements import changes_of


def test_the_same_figures_from_other_rows_are_no_change() -> None:
    before = {"totals": {"views": {"value": 1}}, "sources": {"x": ["a"]}, "restated": False}

    assert changes_of(before, {"totals": {"views": {"value": 1}}, "sources": {"x": ["b"]}}) == {}


def test_each_figure_that_differs_is_named_by_its_path() -> None:
    before = {"totals": {"views": {"value": None, "missing": 1}}, "missing": [{"posts": 1}], "platforms": {}}
    after = {"totals": {"views": {"value": 0, "missing": 0}}, "missing": [], "platforms": {"x": {"posts": 2}}}

    assert changes_of(before, after) == {
        "missing": [[{"posts": 1}], []],
        "platforms": [{}, None],
        "platforms.x.posts": [None, 2],
        "totals.views.missing": [1, 0],
        "totals.views.value": [None, 0],
    }


def test_a_key_named_like_that_of_a_version_counts_further_down() -> None:
    assert changes_of({"platforms": {"sources": 1}}, {"platforms": {"sources": 2}}) == {"platforms.sources": [1, 2]}
