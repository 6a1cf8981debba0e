"""The Python stage of the quickstart."""

import csv
from collections import defaultdict
from decimal import Decimal
from os import PathLike


def totals(orders: PathLike[str], table: PathLike[str], currency: str) -> None:
    """Number of orders and revenue of each product, highest revenue first."""
    count: dict[str, int] = defaultdict(int)
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    with open(orders, newline="") as file:
        for _day, _order, product, quantity, price in csv.reader(file):
            count[product] += 1
            revenue[product] += int(quantity) * Decimal(price)
    with open(table, "w") as file:
        for product in sorted(revenue, key=lambda name: (-revenue[name], name)):
            file.write(f"{product},{count[product]},{revenue[product]:.2f} {currency}\n")
    print(f"{sum(count.values())} orders of {len(count)} products")
