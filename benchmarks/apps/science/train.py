"""A job that fits a line."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

if __name__ == "__main__":
    frame = pd.DataFrame({"x": np.arange(100.0)})
    frame["y"] = 3 * frame["x"] + 1
    model = LinearRegression().fit(frame[["x"]], frame["y"])
    print(f"slope {model.coef_[0]:.1f}")
