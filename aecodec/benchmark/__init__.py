"""The rate–distortion benchmark: aecodec and its peers over a folder of images, through `aec benchmark`.

codecs.py   the one table of what is measured, and with which options
metrics.py  what a decoded picture is worth
rows.py     one row an image × codec × quality, in a CSV that grows while a run goes on and is read to resume it
runner.py   what is to be measured, in processes, with progress
bdrate.py   Bjøntegaard deltas
curves.py   rows to mean curves, CompressAI's JSON, published curves
crops.py    the same crop from several codecs at equal bytes, for the viewer
plots.py    PNG and SVG;  report/ the page

What it needs beyond the codec comes with `pip install aecodec[bench]` and is imported when it is used.
"""
