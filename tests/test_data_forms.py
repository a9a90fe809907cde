"""Exports of other tools: each is read correctly, or refused by a line that says what to do.

One table of cases: what is made in an empty folder, the settings of `data` besides
`layout: folder`, and the outcome: the classes of each image, or the words of the refusal.
"""

import pytest

from tests.forms_kit import SIX, binary, class_tree, joined, outcome, own, read, six, table
from tests.own_kit import picture

TWO = {f"{name}{i}": name for name in ("cat", "dog") for i in range(3)}


def roboflow(root, splits=("train", "valid", "test"), separator=", "):
    for k, split in enumerate(splits):
        for i in range(4):
            picture(root / split / f"{split}{i}_jpg.rf.{i}.jpg", 10 * k + i)
        rows = [
            separator.join([f"{split}{i}_jpg.rf.{i}.jpg", str(i % 2), str(i // 2)])
            for i in range(4)
        ]
        table(root / split, "\n".join([separator.join(["filename", "cat", "dog"]), *rows]),
              "_classes.csv")  # fmt: skip


ROBOFLOW = {
    f"{split}{i}_jpg.rf.{i}": ("", "cat", "dog", "cat dog")[i]
    for split in ("train", "valid")
    for i in range(4)
}

TABLES = {
    "semicolons, as Excel saves": (
        lambda r: own(r, "image;classes", *joined(",", '{name}.jpg;{classes}')), {}, SIX,
    ),
    "semicolons and classes in quotes": (
        lambda r: own(r, "image;classes", *joined(";", '{name}.jpg;"{classes}"')), {}, SIX,
    ),
    "tabs": (lambda r: own(r, "image\tclasses", *joined(";", "{name}.jpg\t{classes}")), {}, SIX),
    "a byte order mark and Windows' line ends": (
        lambda r: own(r, "image,classes", *joined(";"), encoding="utf-8-sig", end="\r\n"), {}, SIX,
    ),
    "Excel's Unicode text": (
        lambda r: own(r, "image\tclasses", *joined(";", "{name}.jpg\t{classes}"),
                      encoding="utf-16"), {}, SIX,
    ),
    "Excel's line sep=": (lambda r: own(r, "sep=;", "image;classes",
                                        *joined("|", "{name}.jpg;{classes}")), {}, SIX),
    "Latin-1": (
        lambda r: own(r, "image,classes", "ä.jpg,cat", encoding="latin-1"), {},
        "labels.csv, line 2: not UTF-8; save it as CSV in UTF-8",
    ),
    "headers in capitals": (lambda r: own(r, "Image,Classes", *joined(";")), {}, SIX),
    "image,label": (lambda r: own(r, "image,label", *joined(";")), {}, SIX),
    "filename,class": (lambda r: own(r, "File Name,Class", *joined(";")), {}, SIX),
    "a bar between classes": (lambda r: own(r, "image,tags", *joined("|")), {}, SIX),
    "a list as Python writes it": (
        lambda r: own(r, "image,labels", *(
            f'{n}.jpg,"{c.split()!r}"' for n, c in SIX.items())), {}, SIX,
    ),
    "a list as JSON has it": (
        lambda r: own(r, "image;labels", *(
            f'{n}.jpg;["{c}"]'.replace(" ", '", "').replace('[""]', "[]")
            for n, c in SIX.items())), {}, SIX,
    ),
    "Label Studio's choices": (
        lambda r: own(r, "image,id,choice,annotator", "a.jpg,1,cat,1", "b.jpg,2,dog,1",
            'c.jpg,3,"{""choices"":[""cat"",""dog""]}",1', "d.jpg,4,,1",
            "e.jpg,5,cat,1", "f.jpg,6,dog,1"), {}, SIX,
    ),
    "an unreadable list": (
        lambda r: own(r, "image,classes", "a.jpg,\"['cat'\""), {},
        "labels.csv, line 2: ['cat': begins like a list, but is not one",
    ),
    "one line a label": (
        lambda r: own(r, "image,label", "a.jpg,cat", "b.jpg,dog", "c.jpg,cat", "c.jpg,dog",
                      "d.jpg,", "e.jpg,cat", "f.jpg,dog"), {}, SIX,
    ),
    "one line a box": (
        lambda r: own(r, "filename,width,height,class,xmin,ymin,xmax,ymax",
            *(f"{n}.jpg,16,12,{c},1,1,9,9" for n, k in SIX.items() for c in k.split() or [""])),
        {}, SIX,
    ),
    "one line a label, two splits": (
        lambda r: own(r, "image,label,split", "a.jpg,cat,train", "a.jpg,dog,val"), {},
        "labels.csv, line 3: a.jpg is in split 'val' here and in 'train' in line 2",
    ),
    "none beside a class": (
        lambda r: own(r, "image,label", "a.jpg,cat", "a.jpg,none"), {},
        "a.jpg: 'none' together with 'cat'; keep one",
    ),
    "0 and 1": (lambda r: own(r, "image,cat,dog", *binary()), {}, SIX),
    "0.0 and 1.0": (
        lambda r: own(r, "image,cat,dog", *(
            line.replace(",0", ",0.0").replace(",1", ",1.0") for line in binary())), {}, SIX,
    ),
    "True and False": (
        lambda r: own(r, "image,cat,dog", *(
            line.replace(",0", ",False").replace(",1", ",True") for line in binary())), {}, SIX,
    ),
    "0 and 1, semicolons and splits": (
        lambda r: own(r, "split;image;cat;dog", *(
            f"{'valid' if line[0] in 'ef' else 'Train'};{line}" for line in binary(";"))), {}, SIX,
    ),
    "0 and 1, with a column of nothing": (
        lambda r: own(r, "image,cat,dog,background", *(
            f"{line},{int(line[0] == 'd')}" for line in binary())), {}, SIX,
    ),
    "uncertain labels": (
        lambda r: own(r, "image,cat,dog", *binary(), "a.jpg,-1,0"), {},
        "labels.csv, line 8: column 'cat' holds '-1'; expected 0 or 1",
    ),
    "scores instead of 0 and 1": (
        lambda r: own(r, "image,cat,dog", *(
            line.replace(",1", ",0.87") for line in binary())), {},
        "column 'cat' holds '0.87'; expected 0 or 1",
    ),
    "classes and columns of 0 and 1": (
        lambda r: own(r, "image,label,cat", "a.jpg,dog,1"), {},
        "column 'cat' is unknown ('label' holds the classes)",
    ),
    "two columns of classes": (
        lambda r: own(r, "image,label,class", "a.jpg,cat,pet"), {},
        "both 'class' and 'label' could hold the classes",
    ),
    "columns named by the settings": (
        lambda r: own(r, "id,picture,breed,note,class", *(
            f"7,{n}.jpg,{c.replace(' ', ';')},x,pet" for n, c in SIX.items())),
        {"columns": {"image": "picture", "classes": "breed"}}, SIX,
    ),
    "no header": (
        lambda r: own(r, "a.jpg,cat", "b.jpg,dog"), {},
        "line 1: the columns are a.jpg, cat; expected image,classes",
    ),
    "class numbers": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{i % 3}" for i, n in enumerate(SIX))), {},
        "the classes are numbers (0, 1, 2)",
    ),
    "class numbers that the settings name": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{i % 2}" for i, n in enumerate(SIX))),
        {"classes": ["0", "1"]}, {n: str(i % 2) for i, n in enumerate(SIX)},
    ),
    "blanks between known classes": (lambda r: own(r, "image,tags", *joined(" ")), {}, SIX),
    "blanks within a name": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{c or 'traffic light'}" for n, c in (
            SIX | {"c": "cat"}).items())), {}, SIX | {"c": "cat", "d": "traffic light"},
    ),
    "blanks that may be either": (
        lambda r: own(r, "image,tags", "a.jpg,clear forest", "b.jpg,haze forest",
                      "c.jpg,clear water", "d.jpg,haze water"), {},
        "'clear forest': one class, or clear and forest?",
    ),
    "blanks between classes that the settings name": (
        lambda r: own(r, "image,tags", *joined(" ", "{name},{classes}")),
        {"classes": ["dog", "cat"]}, SIX | {"c": "dog cat"},
    ),
    "commas in quotes": (lambda r: own(r, "image,classes", *joined(", ", '{name}.jpg,"{classes}"')),
                         {}, SIX),
    "words for no class": (
        lambda r: own(r, "image,label", "a.jpg,cat", "b.jpg,dog", "c.jpg,cat;dog", "d.jpg,nan",
                      "e.jpg,cat", "f.jpg,dog"), {}, SIX,
    ),
    "Background": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{c.replace(' ', ';') or 'Background'}"
                                          for n, c in SIX.items())), {}, SIX,
    ),
    "_background_": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{c.replace(' ', ';') or '_background_'}"
                                          for n, c in SIX.items())), {}, SIX,
    ),
    "0 for no class": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{c.replace(' ', ';') or '0'}"
                                          for n, c in SIX.items())), {},
        "'0': is it a class? If so, name it in data.classes; if not, set data.negative: ['0']",
    ),
    "good, which the settings explain": (
        lambda r: own(r, "image,label", *(f"{n}.jpg,{c.replace(' ', ';') or 'OK'}"
                                          for n, c in SIX.items())), {"negative": ["ok"]}, SIX,
    ),
    "a class of val alone": (
        lambda r: own(r, "image,label,split", "a,cat,train", "b,dog,train", "e,cat,val",
                      "f,fox,val"), {}, "class 'fox': val shows it, no training image does",
    ),
    "a class of val alone, left out": (
        lambda r: own(r, "image,label,split", "a,cat,train", "b,dog,train", "e,cat,val",
                      "f,fox;cat,val"), {"other_classes": "leave_out"},
        {"a": "cat", "b": "dog", "e": "cat", "f": "cat"},
    ),
    "classes that the settings do not name, left out": (
        lambda r: own(r, "image,label", *joined(";")),
        {"classes": ["cat"], "other_classes": "leave_out"},
        {"a": "cat", "b": "", "c": "cat", "d": "", "e": "cat", "f": ""},
    ),
}  # fmt: skip

NAMES = {
    "images/ before the names": (
        lambda r: own(r, "image,classes", *joined(";", "images/{name}.jpg,{classes}")), {}, SIX,
    ),
    "the data set's own folder before the names": (
        lambda r: own(r, "image,classes", *joined(";", f"{r.name}/images/{{name}}.jpg,{{classes}}")
        ), {}, SIX,
    ),
    "back slashes": (
        lambda r: own(r, "image,classes", *joined(";", ".\\images\\{name}.jpg,{classes}")), {}, SIX,
    ),
    "suffixes in capitals": (
        lambda r: own(r, "image,classes", *joined(";", "{name}.JPG,{classes}")), {}, SIX,
    ),
    "no suffixes": (lambda r: own(r, "image_id,label", *joined(";", "{name},{classes}")), {}, SIX),
    "another suffix": (
        lambda r: own(r, "image,label", "a.png,cat"), {},
        "line 2: a.png is not in images/; a.jpg is",
    ),
    "another Unicode form": (
        lambda r: (own(r, "image,classes", *joined(";"), "ba\u0308r.jpg,cat"),
                   picture(r / "images" / "b\u00e4r.jpg", 9)), {}, SIX | {"b\u00e4r": "cat"},
    ),
    "pictures one folder deeper": (
        lambda r: (own(r, "image,classes", *joined(";")), (r / "images").rename(r / "x"),
                   (r / "images").mkdir(), (r / "x").rename(r / "images" / "day1")), {},
        {f"day1_{n}": c for n, c in SIX.items()},
    ),
    "a name that two folders have": (
        lambda r: (own(r, "image,classes", "g.jpg,cat"), picture(r / "images/x/g.jpg", 8),
                   picture(r / "images/y/g.jpg", 9)), {},
        "line 2: g.jpg is ambiguous: x/g.jpg or y/g.jpg",
    ),
    "hidden copies of macOS": (
        lambda r: (own(r, "image,classes", *joined(";")), six(r / "images" / "__MACOSX"),
                   (r / "images" / "._a.jpg").write_bytes(b"x")), {}, SIX,
    ),
    "folders that the settings name": (
        lambda r: (six(r / "pics"), table(r / "meta", "\n".join(["image,label", *joined(";")]),
                                          "train.csv")),
        {"images": "pics", "table": "meta/train.csv"}, SIX,
    ),
    "a folder that the settings misspell": (
        lambda r: own(r, "image,classes", *joined(";")), {"images": "imgs"},
        "data.images: no such folder: ",
    ),
    "a table of another name": (
        lambda r: (six(r / "images"), table(r, "image,label", "train.csv")), {},
        "data.table: train.csv",
    ),
    "an Excel workbook": (
        lambda r: (six(r / "images"), (r / "labels.xlsx").write_bytes(b"PK")), {},
        "labels.xlsx: an Excel workbook; save it as labels.csv",
    ),
}  # fmt: skip

TREES = {
    "Roboflow's multi-label export": (roboflow, {}, ROBOFLOW),
    "Roboflow's, without a val": (
        lambda r: roboflow(r, ("train", "test")), {}, "train/ and test/, but no val/",
    ),
    "Roboflow's, test for val": (
        lambda r: roboflow(r, ("train", "test")), {"val": "test"},
        {k.replace("valid", "test"): v for k, v in ROBOFLOW.items()},
    ),
    "Train and Valid": (
        lambda r: (class_tree(r / "Train", "cat", "dog"), picture(r / "Valid/cat/v.png", 70)),
        {}, TWO | {"v": "cat"},
    ),
    "training and validation": (
        lambda r: (class_tree(r / "training", "cat", "dog"), class_tree(r / "test", "cat"),
                   picture(r / "validation/dog/v.png", 70)), {}, TWO | {"v": "dog"},
    ),
    "val and valid": (
        lambda r: [class_tree(r / split, "cat") for split in ("train", "val", "valid")], {},
        "val/ and valid/ could both be split 'val'",
    ),
    "train and test alone": (
        lambda r: [class_tree(r / split, "cat", "dog") for split in ("train", "test")], {},
        "train/ and test/, but no val/: set data.val: test to use test/",
    ),
    "train alone": (
        lambda r: class_tree(r / "train", "cat", "dog"), {}, "train/, but no val/: give",
    ),
    "a class that is named train": (
        lambda r: class_tree(r, "bus", "train"), {},
        {f"{name}{i}": name for name in ("bus", "train") for i in range(3)},
    ),
    "splits without class folders": (
        lambda r: [six(r / split) for split in ("train", "val")], {},
        "train/ has images, but no folders of classes and no table",
    ),
    "Background folder": (
        lambda r: class_tree(r, "cat", "dog", "Background"), {},
        TWO | {f"background{i}": "" for i in range(3)},
    ),
    "normal folder": (
        lambda r: class_tree(r, "cat", "dog", "normal"), {},
        "normal/: 'normal': is it a class? If so, name it in",
    ),
    "normal folder that the settings explain": (
        lambda r: class_tree(r, "cat", "dog", "NORMAL"), {"negative": ["normal"]},
        TWO | {f"normal{i}": "" for i in range(3)},
    ),
    "normal folder that is a class": (
        lambda r: class_tree(r, "cat", "normal"), {"classes": ["cat", "normal"]},
        {f"{name}{i}": name for name in ("cat", "normal") for i in range(3)},
    ),
    "hidden, empty and macOS folders": (
        lambda r: (class_tree(r, "cat", "dog", ".cache", "__MACOSX"), (r / "bird").mkdir()), {},
        TWO,
    ),
    "a folder too high": (
        lambda r: class_tree(r / "pets", "cat", "dog"), {}, "is one folder too high: give",
    ),
    "class folders in groups": (
        lambda r: (class_tree(r / "pets", "cat", "dog"), class_tree(r / "birds", "owl", "hen")), {},
        "pets/ has no images, but folders with images (cat, dog)",
    ),
    "class folders with a folder of images": (
        lambda r: [class_tree(r / name, "images", count=2) or
                   picture(r / name / "images" / f"{name}.png", len(name))
                   for name in ("cat", "ox")],
        {}, {"cat": "cat", "ox": "ox", "images0": "cat ox", "images1": "cat ox"},
    ),
    "class folders with more folders": (
        lambda r: (class_tree(r, "cat", "dog"), picture(r / "dog" / "day2" / "z.png", 50)), {},
        TWO | {"z": "dog"},
    ),
    "MVTec's tree": (
        lambda r: (class_tree(r / "train", "good"), class_tree(r / "test", "good", "crack", "cut")),
        {}, {f"train_good_good{i}": "" for i in range(3)}
        | {f"test_{k}_{k}{i}": k.replace("good", "") for k in ("good", "crack", "cut")
           for i in range(3)},
    ),
    "YOLO's tree": (
        lambda r: [(six(r / s / "images"), table(r, "0 0.5 0.5 1 1", f"{s}/labels/a.txt"))
                   for s in ("train", "valid")], {},
        "YOLO's labels (train/labels/a.txt)",
    ),
    "COCO's file": (
        lambda r: [(six(r / s), table(r, "{}", f"{s}/_annotations.coco.json"))
                   for s in ("train", "valid")], {},
        "a COCO file (train/_annotations.coco.json): data.layout: coco",
    ),
    "XML files beside the images": (
        lambda r: [(six(r / s), table(r, "<annotation/>", f"{s}/a.xml"))
                   for s in ("train", "valid")], {},
        "VOC annotations (train/a.xml)",
    ),
    "LabelMe's files": (
        lambda r: (six(r / "shots"), table(r, "{}", "shots/a.json")), {},
        "LabelMe's files (shots/a.json)",
    ),
}  # fmt: skip

CASES = {f"{form}: {name}": case for form, cases in (
    ("table", TABLES), ("names", NAMES), ("tree", TREES),
) for name, case in cases.items()}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_export_is_read_right_or_refused_by_name(tmp_path, name):
    make, settings, expected = CASES[name]
    make(tmp_path)
    found = outcome(tmp_path, **settings)
    if isinstance(expected, str):
        assert isinstance(found, str) and expected in found
    else:
        assert found == expected


@pytest.mark.parametrize("classes", ["cat", "cat dog"])
def test_a_class_that_every_training_image_shows_is_a_warning(tmp_path, caplog, classes):
    own(tmp_path, "image,label", *(f"{n}.jpg,{classes.replace(' ', ';')}" for n in SIX))
    read(tmp_path)
    assert [m for m in caplog.messages if "every training image shows 'cat'" in m]
    caplog.clear()
    own(tmp_path, "image,label", *joined(";"))
    read(tmp_path)
    assert not [m for m in caplog.messages if "every training image" in m]


def test_the_log_says_how_a_table_was_read(tmp_path, caplog):
    caplog.set_level("INFO")
    own(tmp_path, "Filename;cat;dog", *binary(";"))
    read(tmp_path)
    assert (
        "labels.csv: columns separated by ';', images named by 'Filename', a column of 0 and 1"
        " for each of 2 classes" in caplog.text
    )
