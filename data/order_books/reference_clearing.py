#!/usr/bin/env python3
"""Reference clearing of one slot on a price grid (exact integers, stdlib only).

usage: reference_clearing.py book.csv P_MIN TICK L [uniform|reduction]     (P_MIN, TICK in 0.01 ct/kWh)
       reference_clearing.py --expected uniform|reduction                  all books beside this file, one line each
book.csv: id,side,price_ct_per_kwh,quantity_kwh   (side buy|sell, quantity in whole Wh)
expected.json and expected_reduction.json are the output of the second form:
       python3 reference_clearing.py --expected uniform   > expected.json
       python3 reference_clearing.py --expected reduction > expected_reduction.json
       python3 reference_clearing.py --random             > expected_random.json    random books around a price of zero

Grid p_k = P_MIN + k*TICK, k = 0..L-1.  A buy limit rounds DOWN, a sell limit UP.  Off the grid:
buy below p_0 or sell above p_{L-1}: not in the book; buy above p_{L-1}: k = L-1; sell below p_0: k = 0.
b_k, s_k = quantity at tick k.  D_k = sum_{j>=k} b_j, S_k = sum_{j<=k} s_j, D_L = 0, S_{-1} = 0.
Z_k = D_k - S_k is the excess demand AT p_k,
W_k = D_{k+1} - S_k the excess demand BETWEEN p_k and p_{k+1}, k = -1..L-1 (W_{-1} = D_0, W_{L-1} = -S_{L-1}).
W_{-1} >= Z_0 >= W_0 >= Z_1 >= ... >= Z_{L-1} >= W_{L-1}: one non-increasing sequence.

Uniform price.  Only linear forms of b, s are opened (the list `openings`): W on the bisection path, then
 (M) no W_k = 0: one marginal tick k, W_{k-1} > 0 > W_k; open Z_k; price p_k;
     b_k = Z_k - W_k and s_k = W_{k-1} - Z_k follow without opening;
     Z_k > 0 buys AT k rationed (-W_k of b_k), Z_k < 0 sells AT k rationed (W_{k-1} of s_k), Z_k = 0 all filled;
     on the outermost ticks (k = 0 supply long, k = L-1 demand long) also open W_{-1} or W_{L-1};
 (B) some W_m = 0: open V = S_m.  V = 0: no trade.  V > 0: bisect for the first (a) and last (c) zero of W:
     the equilibrium prices are [p_a, p_{c+1}]; price = midpoint; buys >= c+1 and sells <= a filled, nobody rationed.
Fills are integers in Wh/2^16: rationed order q*a, a = floor(2^16*wanted/available); other filled orders q*2^16.

Trade reduction.  V = the volume of the uniform price, kb = highest k with D_k >= V, ks = lowest k with S_k >= V.
Everybody at kb and at ks is excluded; buys above kb pay p_kb, sells below ks get p_ks, Q = min(D_{kb+1}, S_{ks-1}),
the long side pro rata (one fraction a for the whole side).  What is opened, in this order:
 (M) the same path to the marginal tick k.  k = 0 or k = L-1: no trade (nothing is left beyond it), nothing more opened.
     Open Z_k and V: S_k if Z_k >= 0, D_k if Z_k < 0.  D_k, S_k, D_{k+1} = W_k + S_k, S_{k-1} = D_k - W_{k-1} follow.
     Start both searches below at k.
 (B) the same path to a W_m = 0, then V = S_m = D_{m+1}; V = 0: no trade.  The zeros of W are not searched, since they
     only fix the uniform price.  Start kb at m+1 and ks at m.
 kb: from its start g look at D_{g+1}, D_{g+2}, D_{g+4}, ... until one is below V (or the index is L: D_L = 0), then
     bisect between that and the last one that was not below; the final D_{kb+1} is known.  D_{kb+1} = 0: no trade.
 ks: mirrored, S_{g-1}, S_{g-2}, S_{g-4}, ...; S_{ks-1} = 0: no trade.
A value that follows from opened ones is not opened.  Doubling steps rather than a bisection of the whole curve because
kb and ks are next to the crossing in most books, and values that are not below V tell nothing that kb and ks don't.
In case M one of the two searches is always over at once: W_k < 0 < W_{k-1} puts D_{k+1} or S_{k-1} below V.
"""
import csv, json, sys
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
ONE = 1 << 16


def read_book(path):
    """-> [(id, side, limit in 0.01 ct (Fraction), quantity in Wh (int))]"""
    out = []
    with open(path, newline="") as f:
        for r in csv.DictReader(f):
            q = Fraction(Decimal(r["quantity_kwh"])) * 1000
            if r["side"] not in ("buy", "sell") or q < 0 or q.denominator != 1:
                raise ValueError(f"bad order {r}")
            out.append((r["id"], r["side"], Fraction(Decimal(r["price_ct_per_kwh"])) * 100, int(q)))
    return out


def tick_of(side, limit, p_min, tick, L):
    """grid index of an order, None if it cannot trade on this grid"""
    if side == "buy":
        k = (limit - p_min) // tick                     # floor
        return None if k < 0 else min(int(k), L - 1)
    k = -((p_min - limit) // tick)                      # ceiling
    return None if k > L - 1 else max(int(k), 0)


class Book:
    """The curves of one book; only opened() tells a rule anything about them, and it keeps the list."""

    def __init__(self, b, s):
        self.L = len(b)
        self.D = list(accumulate(reversed(b)))[::-1] + [0]  # D[k], k = 0..L
        self.S = [0] + list(accumulate(s))                  # S[k+1] is S_k, k = -1..L-1
        self.openings = []

    def opened(self, name, k):
        D, S = self.D, self.S
        v = {"W": lambda: D[k + 1] - S[k + 1], "Z": lambda: D[k] - S[k + 1], "S": lambda: S[k + 1], "D": lambda: D[k]}[name]()
        self.openings.append([name, k, v])
        return v

    def volume(self):
        """the largest volume at one price, from the curves (not opened: for comparison only)"""
        return max(min(self.D[k], self.S[k + 1]) for k in range(self.L))


def cross(book):
    """the path to the crossing -> (m, l, r, w): m with W_m = 0, or None with W_{r-1} > 0 > W_r; w = opened W"""
    l, r, w = -1, book.L - 1, {}                        # W_l > 0 > W_r (the two ends are assumed, not opened)
    while r - l > 1:
        k = (l + r) // 2
        w[k] = book.opened("W", k)
        if w[k] == 0:
            return k, l, r, w
        l, r = (k, r) if w[k] > 0 else (l, k)
    return None, l, r, w


def decide_uniform(book):
    """-> (kind, lo, hi, a, rest)"""
    opened, L = book.opened, book.L
    m, l, r, w = cross(book)
    if m is not None:                                   # (B) balanced
        if opened("S", m) == 0:
            return "none", None, None, None, 0
        a, c = m, m                                     # V > 0 implies W_{-1} > 0 > W_{L-1}: the ends are no zeros
        while a - l > 1:                                # first zero in (l, m]
            k = (l + a) // 2
            l, a = (l, k) if opened("W", k) == 0 else (k, a)
        while r - c > 1:                                # last zero in [m, r)
            k = (c + r) // 2
            c, r = (k, r) if opened("W", k) == 0 else (c, k)
        return "balanced", a, c + 1, ONE, 0
    k = r                                               # (M) marginal tick
    z = opened("Z", k)
    if z > 0:                                           # demand long
        want = -w[k] if k in w else -opened("W", k)     # k = L-1: W_{L-1} = -S_{L-1}
        have, kind = z + want, "buy"                    # b_k
    elif z < 0:                                         # supply long
        want = w[k - 1] if k - 1 in w else opened("W", k - 1)   # k = 0: W_{-1} = D_0
        have, kind = want - z, "sell"                   # s_k
    else:                                               # both sides of tick k are filled
        if L == 1 and opened("S", 0) == 0:              # L = 1 only: neither end of W was ever opened
            return "none", None, None, None, 0
        return "exact", k, k, ONE, 0
    if want == 0:                                       # only on the outermost ticks: the other side is empty
        return "none", None, None, None, 0
    a = ONE * want // have
    return kind, k, k, a, ONE * want - a * have         # 0 <= rest < have, in Wh/2^16


def edge(book, name, known, start, way, v):
    """farthest tick from `start` in direction `way` where the curve is >= v, and the curve one tick beyond it"""
    end = book.L if way > 0 else -1                     # the curve is 0 there
    known[end] = 0

    def value(k):
        if k not in known:
            known[k] = book.opened(name, k)
        return known[k]

    good, step, bad = start, 1, None
    while bad is None:
        k = start + way * step
        if (k - end) * way >= 0:
            bad = end
        elif value(k) >= v:
            good, step = k, step * 2
        else:
            bad = k
    while abs(bad - good) > 1:
        k = (good + bad) // 2
        good, bad = (k, bad) if value(k) >= v else (good, k)
    return good, value(bad)


def decide_reduction(book):
    """-> (kind, kb, ks, Q, a, rest), kind none|buy|sell|exact"""
    none = "none", None, None, 0, None, 0
    m, _, k, w = cross(book)
    if m is not None:                                   # (B)
        v = book.opened("S", m)
        d, s, b0, s0 = {m + 1: v}, {m: v}, m + 1, m
    elif k in (0, book.L - 1):                          # (M) at an end: kb = L-1 or ks = 0
        return none
    else:                                               # (M)
        z = book.opened("Z", k)
        v = book.opened("S", k) if z >= 0 else book.opened("D", k)
        dk, sk = (v + z, v) if z >= 0 else (v, v - z)
        d, s, b0, s0 = {k: dk, k + 1: w[k] + sk}, {k: sk, k - 1: dk - w[k - 1]}, k, k
    if v == 0:
        return none
    kb, above = edge(book, "D", d, b0, +1, v)
    if above == 0:
        return none
    ks, below = edge(book, "S", s, s0, -1, v)
    q, have = min(above, below), max(above, below)
    if q == 0:
        return none
    a = ONE * q // have
    return "exact" if above == below else "buy" if above > below else "sell", kb, ks, q, a, ONE * q - a * have


def place(orders, p_min, tick, L):
    """-> (tick of every order id, Book)"""
    b, s = [0] * L, [0] * L
    at = {}
    for i, side, limit, q in orders:
        at[i] = k = tick_of(side, limit, p_min, tick, L)
        if k is not None:
            (b if side == "buy" else s)[k] += q
    if len(at) != len(orders):
        raise ValueError("order ids must be unique")
    return at, Book(b, s)


def sides(orders, fills):
    """-> (bought, sold) in Wh/2^16"""
    return [sum(fills[o[0]] for o in orders if o[1] == side) for side in ("buy", "sell")]


def clear_uniform(orders, p_min, tick, L):
    at, book = place(orders, p_min, tick, L)
    kind, lo, hi, a, rest = decide_uniform(book)
    res = {"traded": kind != "none", "price_x2": None, "price_lo": None, "price_hi": None, "volume_wh": 0,
           "fraction": None, "rationed": "none", "rest": rest, "marginal_tick": None}
    fills = {i: 0 for i in at}
    if kind != "none":
        p_lo, p_hi = p_min + lo * tick, p_min + hi * tick
        res |= {"price_x2": p_lo + p_hi, "price_lo": p_lo, "price_hi": p_hi, "fraction": a,
                "rationed": kind if kind in ("buy", "sell") else "none", "marginal_tick": lo if lo == hi else None}
        for i, side, _, q in orders:
            k = at[i]
            if k is None:
                continue
            if lo == hi == k:                           # at the marginal tick
                fills[i] = q * (a if side == kind else ONE)
            elif (side == "buy" and k >= hi) or (side == "sell" and k <= lo):
                fills[i] = q * ONE                      # lo < hi: b_k = 0 or unfilled inside, see docstring (B)
        bought, sold = sides(orders, fills)
        assert abs(bought - sold) == rest
        res["volume_wh"] = max(bought, sold) // ONE     # the unrationed side: whole Wh, exact
    res |= {"n_openings": len(book.openings), "openings": book.openings, "fills": fills}
    return res


def clear_reduction(orders, p_min, tick, L):
    """price_buy = p_kb, price_sell = p_ks (0.01 ct/kWh); surplus = Q*(p_kb - p_ks) in 0.01 ct/kWh * Wh"""
    at, book = place(orders, p_min, tick, L)
    kind, kb, ks, q, a, rest = decide_reduction(book)
    res = {"traded": kind != "none", "price_buy": None, "price_sell": None, "volume_wh": q,
           "uniform_volume_wh": book.volume(), "fraction": a, "rationed": kind if kind in ("buy", "sell") else "none",
           "rest": rest, "kb": kb, "ks": ks, "surplus": 0}
    fills = {i: 0 for i in at}
    if kind != "none":
        res |= {"price_buy": p_min + kb * tick, "price_sell": p_min + ks * tick, "surplus": q * (kb - ks) * tick}
        for i, side, _, x in orders:
            k = at[i]
            if k is not None and (k > kb if side == "buy" else k < ks):
                fills[i] = x * (a if side == kind else ONE)
        bought, sold = sides(orders, fills)
        assert max(bought, sold) == q * ONE and abs(bought - sold) == rest
    res |= {"n_openings": len(book.openings), "openings": book.openings, "fills": fills}
    return res


RULES = {"uniform": clear_uniform, "reduction": clear_reduction}
# (P_MIN, TICK, L) in 0.01 ct/kWh.  The default grid for every book; coarser, finer and narrow ones for the small books.
GRIDS = {"uniform": [(0, 100, 64)], "reduction": [(0, 100, 64), (0, 400, 8), (500, 20, 128), (1400, 200, 4)]}
# The same of the books with prices below zero, whose names begin with n_.
GRIDS_BELOW_ZERO = {"uniform": [(-1600, 100, 64), (-1000, 250, 8)],
                    "reduction": [(-1600, 100, 64), (-1000, 250, 8), (-1200, 20, 128), (-1600, 100, 16)]}


def expected(rule):
    """every book beside this file on the grids of GRIDS, in the format of expected.json"""
    rows = []
    for path in sorted(Path(__file__).resolve().parent.glob("*.csv")):
        orders = read_book(path)
        grids = GRIDS_BELOW_ZERO if path.stem.startswith("n_") else GRIDS
        for n, (p_min, tick, L) in enumerate(grids[rule]):
            if n == 0 or len(orders) <= 100:
                row = {"book": path.stem, "p_min": p_min, "tick": tick, "L": L} | RULES[rule](orders, p_min, tick, L)
                rows.append(json.dumps(row, separators=(",", ":")))
    return "[\n" + ",\n".join(rows) + "\n]"


def draws(seed):
    """whole numbers below a bound, the same ones with every version of Python"""
    while True:
        bound = yield
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (seed >> 33) % bound


def random_book(number):
    """a small book on a grid that lies below zero, across it or above it; limits in mct, on ticks, between and beyond"""
    numbers = draws(number)

    def draw(bound):
        next(numbers)
        return numbers.send(bound)

    L, tick = 2 ** (1 + draw(6)), [2, 20, 100, 250][draw(4)]
    p_min = (draw(2 * L + 1) - 3 * L // 2) * tick + draw(3) * 7
    orders = []
    for i in range(draw(24)):
        limit = p_min + draw(L + 2) * tick - tick
        if draw(3) == 0:
            limit += draw(tick) - tick // 2
        quantity = [0, 1, 1 + draw(4), 1 + draw(100_000)][draw(4)]
        orders.append((f"o{i}", ["buy", "sell"][draw(2)], limit, quantity))
    return p_min, tick, L, orders


def random_expected(count):
    """`count` random books with what both rules make of them; prices in mct here, as the grids are finer than 0.01 ct"""
    rows = []
    for number in range(count):
        p_min, tick, L, orders = random_book(number)
        row = {"number": number, "p_min": p_min, "tick": tick, "L": L, "orders": [list(o[1:]) for o in orders]}
        for rule in RULES:
            row[rule] = RULES[rule](orders, p_min, tick, L)
            row[rule]["fills"] = list(row[rule]["fills"].values())
        rows.append(json.dumps(row, separators=(",", ":")))
    return "[\n" + ",\n".join(rows) + "\n]"


if __name__ == "__main__":
    args = sys.argv[1:]
    if args == ["--random"]:
        print(random_expected(300))
        sys.exit()
    if len(args) == 2 and args[0] == "--expected" and args[1] in RULES:
        print(expected(args[1]))
        sys.exit()
    if len(args) not in (4, 5) or args[4:] and args[4] not in RULES:
        sys.exit(__doc__)
    p_min, tick, L = map(int, args[1:4])
    if tick < 1 or L < 1:
        sys.exit("TICK and L must be at least 1")
    json.dump(RULES[(args[4:] or ["uniform"])[0]](read_book(args[0]), p_min, tick, L), sys.stdout, indent=1)
    print()
