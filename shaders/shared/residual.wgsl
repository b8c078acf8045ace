// Whether a residual is added before the activation.
override RESIDUAL: bool = false;
