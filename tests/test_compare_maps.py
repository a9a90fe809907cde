"""The comparison of maps: networks of other methods, their seeds, the ranked table and its plan."""

import json
from argparse import Namespace

import pytest

from getam_core.activation import METHODS
from getam_core.classes import SCENE_CLASSES
from getam_core.data import of_split, write_index
from getam_core.errors import InputError
from getam_core.evaluation import find_masks, rank_maps, write_mask_index
from getam_core.networks import ConvolutionalClassifier, load_network
from getam_core.scenes import write_scenes
from getam_core.settings import CLASSIFIERS, Settings
from tests.tiny_workflow import TINY, Workflow
from tests.voc_kit import entries_of
from workflow_scripts import compare_getam, compare_maps, evaluate_seed, export_maps, train

SETTINGS = {key: TINY[key] for key in ("device", "data", "model", "train")} | {"maps": {}}
CNN = {"name": "test_resnet", "weights": None, "max_stride": 16}
POSSIBLE = [method for method in METHODS if method != "afa"]  # for a network of GETAM


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve made images, their index and their mask index."""
    folder = tmp_path_factory.mktemp("maps")
    write_scenes(folder, train=8, val=4, size=32, seed=0)
    entries = entries_of(folder, SCENE_CLASSES)
    write_index(folder / "index.csv", entries)
    write_mask_index(folder / "masks.csv", find_masks(folder, of_split(entries, "train")))
    return folder


def trained(folder, classifier, **sections):
    """Train one network as the rule does; return its file and its metrics."""
    out = folder / f"{classifier or 'own'}.pt"
    files = {"state": out.with_suffix(".state"), "metrics": out.with_suffix(".csv"), "out": out}
    settings = json.dumps(SETTINGS | sections)
    train.main(
        Namespace(
            index=folder / "index.csv", saliency=None, labels=None, settings=settings,
            classifier=classifier, device="cpu", threads=1, anew=False, log=None,
            events=out.with_suffix(".events"), **files,
        )
    )  # fmt: skip
    return out, files["metrics"]


@pytest.fixture(scope="module")
def networks(folder):
    train_alone = TINY["train"] | {"labels": {"saliency": False}}
    return {
        None: trained(folder, None, train=train_alone),
        "ts_cam": trained(folder, "ts_cam"),
        "cnn": trained(folder, "cnn", classifiers={"cnn": CNN}),
    }


def test_each_method_has_the_network_that_it_needs(networks):
    assert load_network(networks[None][0]).class_maps is None
    assert load_network(networks["ts_cam"][0]).class_maps is not None
    assert isinstance(load_network(networks["cnn"][0]), ConvolutionalClassifier)
    phases = networks["cnn"][1].read_text().splitlines()[1:]
    assert len(phases) == 2 and all(",classification," in line for line in phases)


def test_all_methods_are_scored_and_ranked_in_one_table(folder, networks):
    seeds, metrics = [], []
    for method in POSSIBLE:
        checkpoint, measured = networks[CLASSIFIERS.get(method)]
        maps, entry = folder / f"{method}.h5", folder / f"{method}.json"
        common = {"index": folder / "index.csv", "settings": json.dumps(SETTINGS), "method": method}
        export_maps.main(
            Namespace(
                checkpoint=checkpoint, state=folder / f"state_{method}", out=maps, split="train",
                shard=0, shard_size=100, device="cpu", threads=1, **common,
            )
        )  # fmt: skip
        files = {"masks": folder / "masks.csv", "maps": maps, "out": entry}
        evaluate_seed.main(Namespace(counts=None, **files, **common))
        seeds.append(entry)
        metrics.append(measured)
    out, plot = folder / "maps.json", folder / "maps.png"
    compare_maps.main(Namespace(seeds=seeds, metrics=metrics, run="tiny", plot=plot, out=out))
    entries = json.loads(out.read_text())["entries"]
    assert {entry["method"] for entry in entries} == set(POSSIBLE)
    assert [entry["miou"] for entry in entries] == sorted(
        (e["miou"] for e in entries), reverse=True
    )
    assert entries[0]["rank"] == 1 and all(0 <= e["class_map"] <= 100 for e in entries)
    assert plot.read_bytes().startswith(b"\x89PNG")


def study_of(folder, networks, study):
    out, plot = folder / f"{study}.json", folder / f"{study}.png"
    compare_getam.main(
        Namespace(
            index=folder / "index.csv", masks=folder / "masks.csv", checkpoint=networks[None][0],
            settings=json.dumps(SETTINGS), device="cpu", threads=1, run="tiny", study=study,
            plot=plot, out=out,
        )
    )  # fmt: skip
    assert plot.read_bytes().startswith(b"\x89PNG")
    return {entry["variant"]: entry for entry in json.loads(out.read_text())["entries"]}


def test_getam_s_blocks_and_fusions_are_scored_as_its_exported_maps_are(folder, networks):
    blocks, fusions = (study_of(folder, networks, study) for study in ("blocks", "fusion"))
    own = json.loads((folder / "getam.json").read_text())
    assert list(blocks) == [
        f"{coupling}, last {count}" for coupling in ("per_head", "head_mean") for count in (1, 2)
    ]
    assert blocks["per_head, last 2"]["curve"] == fusions["sum"]["curve"] == own["curve"]
    assert list(fusions) == ["sum", "product", "matrix"]
    assert all(sum(e["histogram"]) == pytest.approx(1, abs=1e-4) for e in fusions.values())


def test_equal_figures_share_a_rank_and_what_has_no_figure_has_none():
    entries = [
        {"method": name, "miou": miou} for name, miou in zip("abcd", (1, 3, None, 3), strict=True)
    ]
    ranked = rank_maps(entries, [10.0, None, 5.0, 20.0])
    assert [(e["method"], e["rank"]) for e in ranked] == [("b", 1), ("d", 1), ("a", 3)]


def test_a_model_without_a_stem_needs_a_named_cnn():
    with pytest.raises(InputError, match=r"classifiers\.cnn: .* name one, for instance"):
        train.network_of("cnn", Settings.model_validate(SETTINGS), 6)


def test_the_table_plans_the_networks_of_other_methods(tmp_path, repository):
    workflow = Workflow(tmp_path, repository)
    workflow.configure(classifiers={"cnn": CNN})
    planned = workflow.run(["results/tiny/ablation/maps.json"], "--dry-run").stdout
    assert planned.count("rule train_classifier:") == 2 and planned.count("rule train:") == 1
    assert planned.count("rule evaluate_seed:") == len(POSSIBLE)
