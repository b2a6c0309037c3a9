"""Stage `robustness`: accuracy under noise, other levels, speeds and devices, and on sounds that are not digits."""
