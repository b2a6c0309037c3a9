"""Numbers as texts."""


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent.

    >>> percent(0.9933)
    '99.3%'
    """
    return f"{share:.{digits}%}"


def interval(low: float, high: float) -> str:
    """Return an interval of shares.

    >>> interval(0.98, 0.997)
    '98.0 to 99.7%'
    """
    return f"{100 * low:.1f} to {high:.1%}"


def p_value(p: float) -> str:
    """Return a p-value.

    >>> [p_value(p) for p in (0.0, 0.00421, 1.0)]
    ['< 0.0001', '0.0042', '1']
    """
    if p < 1e-4:  # noqa: PLR2004 - the last decimal shown
        return "< 0.0001"
    return f"{p:.2g}"


def points(difference: float) -> str:
    r"""Return a difference of shares in percentage points, with its sign.

    >>> points(-0.0123) == "\N{MINUS SIGN}1.2"
    True
    """
    return f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")


def bytes_of(size: float) -> str:
    """Return a size in megabytes.

    >>> bytes_of(8_000_000)
    '8.0 MB'
    """
    return f"{size / 1e6:.1f} MB"
