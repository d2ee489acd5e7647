"""The calibration of the verdict: causes of lost time are planted, and the verdict has to name them."""
