"""Small HDF5 files of every layout that Keras and h5py write, for tests/imports/hdf5.rs.

Every dataset holds k / 4 - length of its path, for k = 0, 1, 2 and so on. The files are kept as the recipes that
make_formats.py describes, since most of their bytes are zeros.

Run in this folder: python make_keras.py (needs h5py 3.16 with HDF5 2.0, ml_dtypes and numpy).
"""
import h5py, make_formats, ml_dtypes, numpy as np, pathlib, tempfile

FOLDER = pathlib.Path(tempfile.mkdtemp())
OLD, NEW = ("earliest", "v110"), ("latest", "latest")

def values(path, shape, dtype="<f4"):
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) / 4 - len(path)).astype(dtype)

def put(group, name, shape, dtype="<f4", **options):
    path = f"{group.name}/{name}".lstrip("/")
    return group.create_dataset(name, data=values(path, shape, dtype), **options)

def put_low(file, name, shape, dtype, change):
    """Through the library's own functions, for what h5py has no option for."""
    space, properties = h5py.h5s.create_simple(shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    change(properties)
    dataset = h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, properties)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values(name, shape, dtype))

def compact(properties):
    properties.set_layout(h5py.h5d.COMPACT)

def early(properties):
    properties.set_chunk((3, 4))
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)

def names(group, attribute, *texts):
    group.attrs[attribute] = np.array(texts, "S")

# A whole model by model.save("m.h5"), with a list of layers that was cut in two.
with h5py.File(FOLDER / "model.h5", "w", libver=OLD) as f:
    f.attrs["keras_version"], f.attrs["backend"] = b"2.15.0", b"tensorflow"
    f.attrs["model_config"] = "{" + 1500 * " " + "}"
    model = f.create_group("model_weights")
    names(model, "layer_names0", "conv", "pool")
    names(model, "layer_names1", "ab")
    for layer in ["ab", "conv"]:
        group = model.create_group(layer)
        names(group, "weight_names", f"{layer}/kernel:0", f"{layer}/bias:0")
        put(group, f"{layer}/bias:0", (2,))
        put(group, f"{layer}/kernel:0", (3, 2))

# Keras 3: no list of layers. bfloat16 is written as two bytes without a meaning.
with h5py.File(FOLDER / "keras_3.weights.h5", "w", libver=("v108", "v110")) as f:
    for layer in ["conv2d_10", "conv2d_2", "conv2d"]:
        group = f.create_group(f"layers/{layer}/vars")
        put(group, "0", (2, 3))
        put(group, "1", (3,), ">f2")
    path = "layers/dense/vars/0"
    dataset = f.create_dataset(path, data=values(path, (3, 2), ml_dtypes.bfloat16).view("V2"))
    dataset.attrs["dtype"] = "bfloat16"
    f.create_dataset("optimizer/vars/0", data=np.int64(7))

# A group of the new kind with many names, here of one dataset, and many attributes: heaps and B-trees.
with h5py.File(FOLDER / "dense.h5", "w", libver=NEW, track_order=True) as f:
    put_low(f, "w9", (2,), "<f4", compact)
    for number in range(9):
        f[f"w{number}"] = f["w9"]
    for number in range(9):
        f.attrs[f"text{number}"] = f"attribute {number}"

# Chunks in the old B-tree, with every filter and with parts that are outside of the shape.
with h5py.File(FOLDER / "chunks.h5", "w", libver=OLD) as f:
    put(f, "w", (5, 7), chunks=(2, 3), compression="gzip", shuffle=True, fletcher32=True)

# Every newer list of chunks.
with h5py.File(FOLDER / "lists.h5", "w", libver=NEW) as f:
    put(f, "array", (5, 7), chunks=(2, 3))
    put(f, "one", (5, 7), chunks=(5, 7), compression="gzip")
    put(f, "packed", (5, 7), ">f8", chunks=(2, 7), compression="gzip", shuffle=True)
    put_low(f, "row", (5, 6), "<f4", early)

# A B-tree of the newer kind.
with h5py.File(FOLDER / "tree.h5", "w", libver=NEW) as f:
    put(f, "w", (5, 7), chunks=(2, 3), maxshape=(None, None))
with h5py.File(FOLDER / "tree_packed.h5", "w", libver=NEW) as f:
    put(f, "w", (5, 7), chunks=(2, 3), maxshape=(None, None), compression="gzip")

# What is refused.
with h5py.File(FOLDER / "circle.h5", "w", libver=NEW) as f:
    f["group/again"] = f.create_group("group")
with h5py.File(FOLDER / "old_circle.h5", "w", libver=OLD) as f:
    f["group/again"] = f.create_group("group")
with h5py.File(FOLDER / "soft.h5", "w", libver=NEW) as f:
    f["a"], f["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
with h5py.File(FOLDER / "old_soft.h5", "w", libver=OLD) as f:
    f["a"], f["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
with h5py.File(FOLDER / "external.h5", "w", libver=NEW) as f:
    f["a"] = h5py.ExternalLink("other.h5", "/a")
with h5py.File(FOLDER / "growing.h5", "w", libver=NEW) as f:
    put(f, "w", (2, 3), chunks=(2, 3), maxshape=(None, 3))
with h5py.File(FOLDER / "lzf.h5", "w", libver=NEW) as f:
    put(f, "w", (2, 3), compression="lzf")
with h5py.File(FOLDER / "unwritten.h5", "w", libver=NEW) as f:
    f.create_dataset("w", (2, 3), "<f4", chunks=(1, 3))

for path in FOLDER.iterdir():
    make_formats.write(pathlib.Path("formats/keras"), path.name, path.read_bytes(), [])
