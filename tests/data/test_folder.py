"""drnas_lib.data.folder on small image folders, the odd and the broken files of real ones included."""

import numpy as np
import pytest
from PIL import Image

from drnas_lib.data.sources import load
from drnas_lib.errors import DamagedData, MissingData

COLOURS = {"ant": (200, 30, 40), "bee": (30, 180, 60), "cat": (20, 50, 220)}
ORIENTATION = 0x0112  # EXIF tag
ONE_COLOUR = 6  # how far a lossy file or another colour space may move a pixel


def write_folder(root, each: int = 5, size: tuple[int, int] = (12, 12), classes=tuple(COLOURS)):
    """A folder per class, each image of its class's colour."""
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", size, COLOURS[name]).save(root / name / f"{number:03}.png")


def read(root, size: int | None = 8):
    return load("folder", root.parent, root, size)


def is_coloured(image, name: str) -> bool:
    wanted = np.array(COLOURS[name])[:, None, None]
    return int(np.abs(image.numpy().astype(int) - wanted).max()) <= ONE_COLOUR


def test_every_fifth_image_of_each_class_is_for_testing(tmp_path):
    write_folder(tmp_path, each=11)
    data = read(tmp_path)
    assert (data.classes, data.shuffled, data.train.images.shape) == (3, False, (27, 3, 8, 8))
    assert data.train.labels.tolist() == [0] * 9 + [1] * 9 + [2] * 9
    assert data.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    for image, label in zip(data.test.images, data.test.labels.tolist()):
        assert is_coloured(image, list(COLOURS)[label])
    assert data.source == "33 images of 3 classes from an image folder, 8x8."
    assert read(tmp_path).fingerprint == data.fingerprint


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_train_and_test_folders_are_kept_apart(tmp_path, test_name):
    write_folder(tmp_path / "train", each=3)
    write_folder(tmp_path / test_name, each=2)
    data = read(tmp_path)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_train_alone_is_refused_rather_than_taken_for_a_class(tmp_path):
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "more")
    with pytest.raises(MissingData, match="has train/ but nothing beside it to test on. Add test/, val/"):
        read(tmp_path)


def test_the_usual_size_is_32(tmp_path):
    write_folder(tmp_path)
    assert read(tmp_path, None).train.images.shape == (12, 3, 32, 32)


def test_the_short_side_is_scaled_and_the_centre_kept(tmp_path):
    write_folder(tmp_path)
    wide = np.zeros((10, 40, 3), dtype=np.uint8)
    wide[:, 15:25] = 255  # the centre square
    Image.fromarray(wide).save(tmp_path / "ant" / "000.png")
    image = read(tmp_path, 20).train.images[0]
    assert (image[:, :, 1:-1] == 255).all()  # but for the border, which scaling mixes with its neighbours
    assert (image[:, :, [0, -1]] > 127).all()


MODES = {
    "L": lambda image: image.convert("L"),
    "LA": lambda image: image.convert("LA"),
    "1": lambda image: image.convert("1", dither=Image.Dither.NONE),
    "P": lambda image: image.convert("P", palette=Image.Palette.ADAPTIVE),
    "RGBA": lambda image: image.convert("RGBA"),
    "CMYK": lambda image: image.convert("CMYK"),
    "YCbCr": lambda image: image.convert("YCbCr"),
    "LAB": lambda image: image.convert("LAB"),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb(tmp_path, mode):
    write_folder(tmp_path)
    original = MODES[mode](Image.new("RGB", (12, 12), COLOURS["ant"]))
    original.save(tmp_path / "ant" / "000.tif")  # sorts after 000.png, before 001.png
    image = read(tmp_path).train.images[1]
    if mode in ("L", "LA", "1"):
        grey = np.asarray(Image.new("RGB", (1, 1), COLOURS["ant"]).convert("L"))[0, 0]
        assert (image == (0 if mode == "1" else int(grey))).all()
    else:
        assert is_coloured(image, "ant")


def test_sixteen_bits_of_grey_are_scaled_not_clipped(tmp_path):
    write_folder(tmp_path)
    Image.fromarray(np.full((12, 12), 0x8080, dtype=np.uint16)).save(tmp_path / "ant" / "000.png")
    assert (read(tmp_path).train.images[0] == 0x80).all()


def test_a_palette_with_transparency_gives_its_colours_without_a_warning(tmp_path):
    write_folder(tmp_path)
    palette = Image.new("P", (12, 12), 0)
    palette.putpalette(COLOURS["ant"])
    palette.save(tmp_path / "ant" / "000.png", transparency=b"\x80")
    assert is_coloured(read(tmp_path).train.images[0], "ant")


def test_photographs_are_turned_upright(tmp_path):
    write_folder(tmp_path)
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[:8] = 255  # white above, as stored
    turned = Image.Exif()
    turned[ORIENTATION] = 6  # the viewer has to turn it clockwise: white comes to the right
    Image.fromarray(pixels).save(tmp_path / "ant" / "000.jpg", exif=turned, quality=95)
    image = read(tmp_path, 16).train.images[0].float()
    assert image[:, :, 9:].mean() > 245
    assert image[:, :, :7].mean() < 10


def spoil(path):
    """Keep the header and lose the pixels."""
    path.write_bytes(path.read_bytes()[:45])


def test_a_few_unreadable_files_are_left_out_and_named(tmp_path):
    write_folder(tmp_path, each=70)  # 210 images: 1 % is two of them
    spoil(tmp_path / "bee" / "003.png")
    (tmp_path / "cat" / "004.png").write_bytes(b"")
    data = read(tmp_path)
    assert "208 images" in data.source
    assert "2 (bee/003.png, cat/004.png) unreadable" in data.source
    assert len(data.train.labels) + len(data.test.labels) == 208
    assert all(is_coloured(image, "bee") for image in data.train.images[data.train.labels == 1])


def test_more_than_one_per_cent_unreadable_is_damage(tmp_path):
    write_folder(tmp_path, each=70)
    for number in range(3):
        spoil(tmp_path / "bee" / f"00{number}.png")
    with pytest.raises(DamagedData, match=r"3 \(bee/000.png, bee/001.png, bee/002.png\) of 210 images cannot be read"):
        read(tmp_path)


def test_a_class_without_a_readable_image_is_damage(tmp_path):
    write_folder(tmp_path / "train", each=80)
    write_folder(tmp_path / "test", each=1)
    spoil(tmp_path / "test" / "cat" / "000.png")
    with pytest.raises(DamagedData, match=r"cat \(0\); unreadable: 1 \(cat/000.png\)"):
        read(tmp_path)


def test_a_class_too_small_for_a_test_image_is_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "ant" / "000.png").unlink()
    with pytest.raises(DamagedData, match=r"each class needs 5 readable images; see ant \(4\)"):
        read(tmp_path)


def test_a_class_missing_from_the_test_images_is_refused(tmp_path):
    write_folder(tmp_path / "train")
    write_folder(tmp_path / "test", classes=("ant", "bee"))
    with pytest.raises(DamagedData, match="the classes of train/ and test/ differ: cat in one of them only"):
        read(tmp_path)


@pytest.mark.parametrize("classes", [(), ("ant",)])
def test_fewer_than_two_classes_are_no_data_set(tmp_path, classes):
    write_folder(tmp_path, classes=classes)
    with pytest.raises(MissingData, match="one folder of images per class, at least two; found"):
        read(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(MissingData, match="there is no folder .*nowhere. Put the images of each class into a folder of its own"):
        read(tmp_path / "nowhere")


def test_images_of_a_class_may_lie_in_folders_of_their_own(tmp_path):
    write_folder(tmp_path)
    expected = read(tmp_path).fingerprint
    (tmp_path / "ant" / "summer").mkdir()
    (tmp_path / "ant" / "004.png").rename(tmp_path / "ant" / "summer" / "004.png")
    assert read(tmp_path).fingerprint == expected


def test_what_systems_and_editors_leave_behind_is_ignored(tmp_path):
    write_folder(tmp_path)
    expected = read(tmp_path).fingerprint
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "ant" / "._000.png").write_bytes(b"\0\5\26\7")
    (tmp_path / "ant" / ".cache").mkdir()
    Image.new("RGB", (12, 12)).save(tmp_path / "ant" / ".cache" / "000.png")
    (tmp_path / "ant" / "notes.txt").write_text("not an image")
    (tmp_path / "README.png").write_bytes(b"")
    assert read(tmp_path).fingerprint == expected
