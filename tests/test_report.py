"""The page holds what the tables say, needs no network, and is not fooled by names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import fields, replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from drawn_report import draw_content

from cellpipe.report import ReportContent, render_report
from cellpipe.report import plate_view as plate_view_module
from cellpipe.report.plate_view import contact_sheet
from cellpipe.report.record import busiest_lineage
from cellpipe.report.svg import dose_chart, lineage, nice_ticks, strip
from cellpipe.report.wording import count, duration, number, p_value, percent, spoken
from cellpipe.run.made import StageMade

VOID = {"meta", "img", "br", "link", "input"}


@cache
def content() -> ReportContent:
    return draw_content()


@cache
def page() -> str:
    return render_report(content())


class Reader(HTMLParser):
    """Tags in balance, ids, links, pictures, text by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict] = []
        self.scripts: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_startendtag(self, tag, attrs):
        self.seen(tag, dict(attrs))

    def handle_starttag(self, tag, attrs):
        self.seen(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def seen(self, tag, attrs):
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        self.pictures += [attrs] if tag == "img" else []
        self.loads += [attrs["src"]] if attrs.get("src") else []
        self.scripts += [""] if tag == "script" else []

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.text.append(data)


def test_page_is_well_formed_and_every_link_leads_somewhere():
    read = Reader(page())
    assert len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links} <= set(read.ids)
    assert len(read.links) == 13
    assert len(read.pictures) == 48 + 1  # a well each, and the empty frame of the enlargement
    assert all(picture["alt"] for picture in read.pictures[:48])


def test_page_needs_no_network():
    read = Reader(page())
    assert all(link.startswith("#") for link in read.links)
    assert all(source.startswith("data:") for source in read.loads)
    assert not re.search(r"https?://|@import|url\((?!#)", page())
    assert "default-src 'none'" in page()


def test_same_content_same_page():
    assert render_report(draw_content()) == page()


def test_page_is_small_enough_to_mail():
    assert len(page()) < 2_000_000


def test_numbers_of_the_tables_stand_on_the_page():
    text = " ".join(Reader(page()).text)
    statistics, wells = content().statistics, content().wells
    z_prime = statistics.query("kind == 'controls' and readout == 'gfp_ratio'")["z_prime"].item()
    assert f"{z_prime:.2f}" in text
    assert f"{int(wells['n_cells'].sum()):,}" in text
    for ec50 in statistics.query("kind == 'dose_response'")["ec50"].dropna():
        assert number(ec50) in text
    for said in ("the file ends after 12,288", "copy the file again", "BSD-3-Clause", "2.13.0"):
        assert said in text


def test_selector_s_data_are_the_wells():
    read = Reader(page())
    data = next(json.loads(s) for s in read.scripts if s.startswith('{"wells"'))
    wells = content().wells
    assert data["wells"] == wells["well"].tolist()
    assert data["layers"][0]["label"] == "gfp ratio"
    shown = np.array(data["layers"][0]["values"], float)
    np.testing.assert_allclose(shown, wells["gfp_ratio"], rtol=1e-3)
    assert data["layers"][0]["values"][wells["well"].tolist().index("F07")] is None
    assert {layer["label"] for layer in data["layers"]} >= {"gfp ratio robust z", "cells"}


NASTY = "</script><script>alert('x')</script> & \"quotes\" {{ 7*7 }} <img src=x onerror=alert(1)>"


def test_names_are_only_names():
    drawn = content()
    wells = drawn.wells.assign(condition=NASTY).rename(columns={"gfp_ratio": NASTY})
    statistics = drawn.statistics.replace({"readout": {"gfp_ratio": NASTY}})
    statistics["group"] = statistics["group"].replace({"A": NASTY})
    wells["row"] = wells["row"].replace({"A": NASTY})
    nasty = replace(
        drawn,
        plate=NASTY,
        facts={NASTY: NASTY},
        wells=wells,
        statistics=statistics,
        readouts=[NASTY],
        confusion=drawn.confusion.rename(index={"not": NASTY}, columns={"not": NASTY}),
        quarantine=drawn.quarantine.assign(reason=NASTY),
        stages=[StageMade(NASTY, 1, 1.0, (NASTY,), {NASTY: (NASTY,)}, {NASTY: (NASTY,)})],
        options={NASTY: {NASTY: NASTY}},
        networks=[{"name": NASTY, "digest": NASTY, "sha256": NASTY, "licence": NASTY}],
        evaluation={NASTY: 1.0},
    )
    html = render_report(nasty)
    read = Reader(html)
    assert len(read.scripts) == 2
    assert len(read.pictures) == 49
    assert "alert('x')" not in "".join(s for s in read.scripts if not s.startswith('{"wells"'))
    data = next(json.loads(s) for s in read.scripts if s.startswith('{"wells"'))
    assert NASTY in data["said"][0]  # unharmed, as text
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", html)[0]


def missing_parts():
    return [f.name for f in fields(ReportContent) if f.name not in ("plate", "readouts")]


@pytest.mark.parametrize("part", missing_parts())
def test_any_part_may_be_missing(part):
    default = ReportContent("x")
    Reader(render_report(replace(content(), **{part: getattr(default, part)})))


def test_nothing_but_a_name_is_still_a_page():
    read = Reader(render_report(ReportContent("empty plate")))
    assert "empty plate" in read.text
    assert read.links == ["#top"]


def test_empty_tables_are_no_sections():
    drawn = content()
    tables = ("wells", "statistics", "fields", "tracks", "confusion", "importance", "quarantine")
    bare = replace(drawn, **{name: getattr(drawn, name).iloc[:0] for name in tables})
    read = Reader(render_report(bare))
    assert "#truth" in read.links  # scores were given
    assert "#tracks" not in read.links
    assert not {"#plate", "#controls", "#doses", "#quality"} & set(read.links)
    assert "Nothing: every image that was found was used." in read.text


def test_plate_of_unknown_wells_only():
    wells = content().wells.assign(gfp_ratio=np.nan, control="", dose=np.nan, n_cells=0)
    wells = wells.drop(columns=["hit"])
    Reader(render_report(replace(content(), wells=wells, readouts=["gfp_ratio"])))


def test_overlapping_controls_and_hopeless_curves_are_not_dressed_up():
    statistics = content().statistics.assign(z_prime=-1497.0, n_points=3, ec50=np.nan)
    html = render_report(replace(content(), statistics=statistics))
    assert "controls overlap in gfp ratio" in html
    assert "1,497" not in html
    assert 'id="doses"' not in html


def test_wells_that_were_not_imaged_are_empty_places():
    wells = content().wells.copy()
    wells.loc[wells["well"] == "A03", ["n_fields", "n_cells"]] = 0
    html = render_report(replace(content(), wells=wells))
    assert html.count('class="well"') == 47
    assert "<dt>Wells</dt><dd>47</dd>" in html


def test_pictures_stay_within_their_budget(monkeypatch):
    monkeypatch.setattr(plate_view_module, "MAX_PICTURE_BYTES", 40_000)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    pictures, rows, columns = contact_sheet({"A01": noise, "C07": noise}, None)
    assert sum(len(picture.uri) for picture in pictures) < 40_000 * 4 / 3 + 200
    assert (rows, columns) == (["A", "C"], [1, 7])
    assert [(p.row, p.column) for p in pictures] == [(1, 1), (2, 2)]


def test_dots_of_a_strip_stand_where_their_values_are():
    drawn = strip({"negative": np.array([0.0, 10.0]), "positive": np.array([5.0, np.nan])})
    x = [float(v) for v in re.findall(r'cx="([\d.]+)"', drawn)]
    assert len(x) == 3
    assert x[2] == pytest.approx((x[0] + x[1]) / 2)
    assert strip({"sample": np.array([np.nan])}) == ""


def test_chart_has_a_dot_per_well_and_a_line_per_curve():
    fits = content().statistics.query("kind == 'dose_response' and readout == 'gfp_ratio'")
    options = {"dose_column": "dose", "group_column": "row", "axis": "ratio"}
    drawn = dose_chart(content().wells, fits, "gfp_ratio", **options)
    assert drawn.count("<polyline") == 4
    assert drawn.count("<circle") == 48 - 4 - 1  # without positive controls and the empty well
    undosed = content().wells.assign(dose=np.nan)
    assert dose_chart(undosed, fits, "gfp_ratio", **options) == ""


def test_statistics_read_from_a_file_give_the_same_page(tmp_path):
    """Empty groups and notes come back as NaN, whole-number groups as floats."""
    drawn = content()
    for group in ("row", "column", None):
        own = drawn.statistics.copy()
        own["group"] = {"row": own["group"], "column": "3"}.get(group, "")
        own.to_csv(tmp_path / "s.tsv", sep="\t", index=False)
        read = pd.read_csv(tmp_path / "s.tsv", sep="\t")
        pages = [
            render_report(replace(drawn, statistics=s, group_column=group)) for s in (own, read)
        ]
        assert pages[0] == pages[1]
        assert ">nan<" not in pages[0]


def test_a_screen_of_many_compounds_gets_several_charts():
    drawn = content()
    one = drawn.statistics.query("kind == 'dose_response' and readout == 'gfp_ratio'").iloc[0]
    many = pd.DataFrame([one.to_dict() | {"group": f"compound {i}"} for i in range(20)])
    read = Reader(render_report(replace(drawn, statistics=many)))
    assert {f"compound {i}" for i in range(20)} <= set(read.text)


def test_more_values_than_dots_can_show_become_a_heap():
    values = np.random.default_rng(0).normal(size=20_000)
    drawn = strip({"sample": values, "bad": values[:3]})
    assert drawn.count("<circle") == 3
    assert drawn.count("<polygon") == 1
    assert len(drawn) < 10_000


def test_a_crowded_lineage_shows_the_families_that_divided():
    n = 400
    table = pd.DataFrame({"track_id": range(1, n + 1), "well": "A01", "field": 1})
    table["parent_track_id"] = [0] * (n - 4) + [1, 1, 2, 2]
    table["t_start"] = [0] * (n - 4) + [5] * 4
    table["t_end"] = [4, 4] + [9] * (n - 2)
    table["divides"] = table["track_id"] <= 2
    chart = busiest_lineage(table)
    assert chart.picture.count("<line") == 6 + 4
    assert "6 of 400 tracks shown" in chart.title


def test_lineage_has_a_line_per_track_and_per_daughter():
    tracks = pd.DataFrame(
        {"track_id": [1, 2, 3, 4], "parent_track_id": [0, 1, 1, 0], "t_start": [0, 5, 5, 0],
         "t_end": [4, 9, 9, 9]}
    )  # fmt: skip
    assert lineage(tracks).count("<line") == 4 + 2


def test_ticks_are_round_and_inside():
    for low, high in ((0.13, 0.97), (-3, 12000), (1e-7, 3e-7)):
        ticks = nice_ticks(low, high)
        assert 3 <= len(ticks) <= 11
        assert low <= min(ticks)
        assert max(ticks) <= high
        assert len({f"{t:.12g}" for t in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (number(0.8765), "0.876"), (number(12345.6), "12,346"), (number(-2.5), "−2.50"),
        (number(3.2e-9), "3.20 × 10⁻⁹"), (number(2.5e8), "2.50 × 10⁸"), (number(0), "0"),
        (number(np.nan), "–"), (number(None), "–"), (number("text"), "–"),
        (number(-17.2, 2), "−17"),
        (count(12345), "12,345"), (percent(0.9744), "97.4 %"), (p_value(1e-9), "< 0.0001"),
        (p_value(0.0314), "0.031"), (duration(7.06), "7.1 s"), (duration(73.4), "1 min 13 s"),
        (duration(4000), "1 h 06 min"), (duration(59.7), "1 min 00 s"),
        (spoken("cell_area_um2"), "cell area (µm²)"), (spoken("n_cells"), "cells"),
        (spoken("gfp_ratio_robust_z"), "gfp ratio robust z"),
    ],
)  # fmt: skip
def test_numbers_and_names_are_written_as_people_do(said, wanted):
    assert said == wanted


@pytest.mark.chromium
def test_script_runs_in_a_browser(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on PATH")
    path = tmp_path / "report.html"
    path.write_text(page(), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    done = subprocess.run(
        [browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    card = re.search(r'<aside id="card".*?</aside>', done.stdout, re.S)
    assert card is not None
    assert "<h3>A01</h3>" in card[0]
    assert "data:image/webp" in card[0]


def test_where_no_well_could_be_judged_the_page_says_so_and_not_0_hits():
    drawn = content()
    samples = drawn.wells["control"] == ""
    reason = "the 8 negative controls all have the same value (0)"
    wells = drawn.wells.assign(hit=pd.array([pd.NA] * len(drawn.wells), "boolean"))
    wells["hit_reason"] = np.where(samples, reason, drawn.wells["control"] + " control")
    html = render_report(replace(drawn, wells=wells))
    assert "<dt>Hits</dt><dd>–</dd>" in html
    assert f"{samples.sum()} wells cannot be judged" in html
    text = " ".join(Reader(html).text)
    assert reason in text
    assert "Left out or not judged" in text


def test_incomplete_wells_features_and_a_missing_classifier_are_named_on_the_page():
    drawn = content()
    wells = drawn.wells.assign(incomplete=drawn.wells["well"] == "A05", incomplete_reason="")
    wells.loc[wells["incomplete"], "incomplete_reason"] = "2 of 4 fields could be used"
    features = pd.DataFrame({"feature": ["Nuclei_spot_count"], "normalised": [False]})
    features = features.assign(method="", reason="the negative controls all have the same value")
    page_of = replace(drawn, wells=wells, features=features)
    page_of = replace(page_of, classifier_scores={"note": "no classifier: no cells", "n_cells": 0})
    text = " ".join(Reader(render_report(page_of)).text)
    for said in ("2 of 4 fields could be used", "Nuclei_spot_count", "no classifier: no cells"):
        assert said in text
