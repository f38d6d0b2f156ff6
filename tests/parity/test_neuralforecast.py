"""PatchTST, iTransformer and Informer compute what neuralforecast's do: same weights, same forecast.

Runs in an environment of its own: ``make test-parity``.
"""

import logging
import re

import pytest
import torch
from neuralforecast import models as reference
from neuralforecast.models.informer import ProbAttention

from hpo.models import FAMILIES
from hpo.models.base import ForecastShape

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

TOLERANCE = 1e-4
HORIZON = 5


def ours(name, context, n_channels, targets, **settings):
    shape = ForecastShape(
        context_length=context,
        n_channels=n_channels,
        n_outputs=HORIZON * len(targets),
        target_channels=targets,
    )
    family = FAMILIES[name]
    return family.build(family.config(d_model=16, n_heads=2, d_ff=24, dropout=0.0, **settings), shape)


def copy_weights(source, target, renames):
    """Load the reference's weights under our names; queries, keys and values may be one map here."""
    weights = {}
    for key, value in source.state_dict().items():
        for pattern, name in renames:
            key = re.sub(pattern, name, key)
        weights[key] = value.squeeze(-1) if "feed_forward" in key else value
    for key in [key for key in weights if ".query." in key]:
        merged = key.replace(".query.", ".qkv.")
        if merged in target.state_dict():
            weights[merged] = torch.cat(
                [weights.pop(key.replace("query", part)) for part in ("query", "key", "value")]
            )
    wanted = target.state_dict()
    target.load_state_dict({key: weights[key] for key in wanted})
    left = [key for key in weights if key not in wanted and not key.endswith((".pe", ".scale"))]
    assert left == [], "the reference has weights that ours has not"


def scramble(model):
    """Away from initial values that hide mistakes: zeros, ones, batch statistics."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.3 * torch.rand_like(buffer))


def check(theirs, mine, x, batch):
    assert sum(p.numel() for p in mine.parameters()) == sum(
        p.numel() for p in theirs.parameters() if p.requires_grad
    )
    theirs.eval()
    mine.eval()
    with torch.no_grad():
        expected = theirs(batch).reshape(len(x), -1)
        got = mine(x)
    assert float(expected.std()) > 0.05, "a forecast that says nothing proves nothing"
    torch.testing.assert_close(got, expected, atol=TOLERANCE, rtol=TOLERANCE)


ENCODER = [
    (r"conv1\.", "feed_forward.0."),
    (r"conv2\.", "feed_forward.3."),
    (r"(query|key|value|out)_projection", r"\1"),
]


@pytest.mark.parametrize("context", [32, 37])
@pytest.mark.parametrize("affine", [True, False])
def test_patchtst(context, affine):
    theirs = reference.PatchTST(
        h=HORIZON,
        input_size=context,
        encoder_layers=2,
        n_heads=2,
        hidden_size=16,
        linear_hidden_size=24,
        patch_len=8,
        stride=4,
        res_attention=False,
        revin=affine,
        revin_affine=affine,
        revin_subtract_last=False,
        dropout=0.0,
        fc_dropout=0.0,
        head_dropout=0.0,
        attn_dropout=0.0,
    )
    scramble(theirs)
    normalisation = "revin" if affine else "none"
    mine = ours(
        "patchtst",
        context,
        1,
        (0,),
        n_layers=2,
        patch_len=8,
        channel_mode="independent",
        normalisation=normalisation,
    )
    renames = [
        (r"^model\.", ""),
        (r"revin_layer\.affine_", "norm."),
        (r"backbone\.W_pos", "position"),
        (r"backbone\.W_P", "embed"),
        (r"backbone\.encoder\.", ""),
        (r"self_attn\.W_Q", "attention.query"),
        (r"self_attn\.W_K", "attention.key"),
        (r"self_attn\.W_V", "attention.value"),
        (r"self_attn\.to_out\.0", "attention.out"),
        (r"norm_attn\.1", "norm_attention"),
        (r"norm_ffn\.1", "norm_feed_forward"),
        (r"\.ff\.", ".feed_forward."),
        (r"head\.linear", "head"),
    ]
    # Its head reads all patches of a feature before the next feature; ours, all features of a patch.
    head = theirs.model.head.linear.weight
    head.data = head.data.view(HORIZON, 16, -1).transpose(1, 2).reshape(HORIZON, -1)
    copy_weights(theirs, mine, renames)
    head.data = head.data.view(HORIZON, -1, 16).transpose(1, 2).reshape(HORIZON, -1)
    x = torch.randn(6, context, 1) * 3 + 10
    check(theirs, mine, x, {"insample_y": x})


@pytest.mark.parametrize("use_norm", [True, False])
def test_itransformer(use_norm):
    theirs = reference.iTransformer(
        h=HORIZON,
        input_size=32,
        n_series=3,
        hidden_size=16,
        n_heads=2,
        e_layers=2,
        d_ff=24,
        dropout=0.0,
        use_norm=use_norm,
    )
    scramble(theirs)
    mine = ours("itransformer", 32, 3, (0, 1, 2), n_layers=2, normalisation="revin" if use_norm else "none")
    renames = [
        *ENCODER,
        (r"enc_embedding\.value_embedding", "embed"),
        (r"encoder\.attn_layers", "layers"),
        (r"norm1", "norm_attention"),
        (r"norm2", "norm_feed_forward"),
        (r"encoder\.norm", "layers.2"),
        (r"projector", "head"),
    ]
    copy_weights(theirs, mine, renames)
    x = torch.randn(6, 32, 3) * 2 + 1
    check(theirs, mine, x, {"insample_y": x})


@pytest.mark.parametrize("distil", [True, False])
@pytest.mark.parametrize("context", [32, 96])
def test_informer(distil, context, monkeypatch):
    theirs = reference.Informer(
        h=HORIZON,
        input_size=context,
        hidden_size=16,
        n_head=2,
        conv_hidden_size=24,
        encoder_layers=2,
        factor=3,
        dropout=0.0,
        distil=distil,
    )
    scramble(theirs)
    mine = ours("informer", context, 1, (0,), n_layers=2, factor=3, distil=distil, normalisation="none")
    last = "encoder.3" if distil else "encoder.2"
    renames = [
        *ENCODER,
        (r"enc_embedding\.value_embedding\.tokenConv", "embed.conv"),
        (r"dec_embedding\.value_embedding\.tokenConv", "embed_decoder.conv"),
        (r"^encoder\.norm", last),
        (r"attn_layers\.1\.", "2." if distil else "1."),
        (r"attn_layers\.0\.", "0."),
        (r"conv_layers\.0\.downConv", "1.conv"),
        (r"conv_layers\.0\.", "1."),
        (r"^decoder\.norm", "norm_decoder"),
        (r"^decoder\.projection", "head"),
        (r"^decoder\.layers", "decoder"),
        (r"self_attention", "own"),
        (r"cross_attention", "cross"),
        (r"^(decoder\.0\.)norm1", r"\1norm_own"),
        (r"^(decoder\.0\.)norm2", r"\1norm_cross"),
        (r"^(decoder\.0\.)norm3", r"\1norm_feed_forward"),
        (r"^(encoder\.\d\.)norm1", r"\1norm_attention"),
        (r"^(encoder\.\d\.)norm2", r"\1norm_feed_forward"),
    ]
    copy_weights(theirs, mine, renames)
    # Which keys are sampled is chance there and fixed here: give the reference our sample.
    draw = torch.randint
    monkeypatch.setattr(
        torch,
        "randint",
        lambda high, size, **given: draw(high, size, generator=torch.Generator().manual_seed(size[0])),
    )
    # It puts (heads, steps) side by side as if they were (steps, heads), which mixes steps: undo that.
    forward = ProbAttention.forward

    def heads_after_steps(self, *args, **given):
        attended, weights = forward(self, *args, **given)
        return attended.transpose(1, 2).contiguous(), weights

    monkeypatch.setattr(ProbAttention, "forward", heads_after_steps)
    x = torch.randn(6, context, 1)
    check(theirs, mine, x, {"insample_y": x, "futr_exog": None})
