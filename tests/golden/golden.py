"""What the scripts that make golden outputs share."""
import json, torch
from safetensors.torch import save_file

def rng(seed):
    g = torch.Generator().manual_seed(seed)
    return lambda *s: torch.randn(*s, generator=g, dtype=torch.float64)

def write(op, cases, tensors):
    save_file({k: v.detach().to(torch.float32).contiguous() if v.is_floating_point() else v.to(torch.int32).contiguous()
               for k, v in tensors.items()}, f"{op}.safetensors", metadata={"op": op, "cases": json.dumps(cases)})
    print(op, len(cases))

def q(t):  # inputs are exactly representable in float32, so that both sides start from the same numbers
    return t.to(torch.float32).to(torch.float64)
