"""make plot: the CPU time that watching a tree takes against the tree's size, heaplog's and the peers', as SVG."""
import argparse
import json
import math
import os
import statistics
import sys

from trees import RARE_MS, alone, watch

SIZES = 3, 10, 30, 100, 300, 1000
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 150, 56, 60
COLOURS = {"heaplog": "#0b6e4f", "psutil": "#c0392b", "pidusage": "#8e5bb5", "Nx's collector": "#2471a3"}
LABELS = {"pidusage": "pidusage + pidtree", "Nx's collector": "Nx's collector (1 s)"}


def decades(low, high):
    return [10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def draw(costs):
    points = [value for series in costs.values() for value in series]
    ticks = decades(min(points), max(points))

    def x(size):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / SIZES[0]) / math.log(SIZES[-1] / SIZES[0])

    def y(cost):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(cost / ticks[0]) / math.log(ticks[-1] / ticks[0])
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{LEFT}" y="24" font-size="16" font-weight="bold">What it costs to watch a tree of sleeping processes</text>',
           f'<text x="{LEFT}" y="43" fill="#555">ms of CPU time per second, a look each 500 ms; both scales logarithmic</text>']
    for tick in ticks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for size in SIZES:
        out.append(f'<line x1="{x(size):.1f}" x2="{x(size):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eee"/>')
        out.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle" fill="#555">processes in the tree</text>')
    ends = []
    for name, series in sorted(costs.items(), key=lambda item: item[1][-1]):
        line = " L".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in zip(SIZES, series))
        wide = 3 if name == "heaplog" else 1.8
        out.append(f'<path d="M{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="{wide}"/>')
        out += [f'<circle cx="{x(size):.1f}" cy="{y(cost):.1f}" r="{wide + 1}" fill="{COLOURS[name]}"/>' for size, cost in zip(SIZES, series)]
        # Labels from below, none on another.
        at = min([y(series[-1]) + 4, *([ends[-1] - 16] if ends else [])])
        ends.append(at)
        weight = "bold" if name == "heaplog" else "normal"
        out.append(f'<text x="{WIDTH - RIGHT + 10}" y="{at:.1f}" fill="{COLOURS[name]}" font-weight="{weight}">{LABELS.get(name, name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main():
    alone()
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    build = os.path.abspath(parser.parse_args().build)
    costs = {}
    for size in SIZES:
        watched, interval = watch(build, size)
        if interval > RARE_MS:
            sys.exit(f"plot: a tree of {size} was looked at each {interval:.0f} ms instead of 500")
        for name, values in watched.items():
            costs.setdefault(name, []).append(max(statistics.median(values), .01))
        print(f"{size:5} processes: " + ", ".join(f"{name} {series[-1]:.2f}" for name, series in costs.items()), flush=True)
    with open(f"{build}/cost.svg", "w") as file:
        file.write(draw(costs))
    with open(f"{build}/cost.json", "w") as file:
        json.dump({"sizes": SIZES, "ms per second": costs}, file)
    print(f"{build}/cost.svg")


main()
