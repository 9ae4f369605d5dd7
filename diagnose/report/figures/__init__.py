"""A run as marks on a plane: charts, and maps of place by step. Geometry only; the templates turn it into SVG.

Everything is drawn in a square of 1000 by 1000, y downwards, that the page stretches to the room there is; strokes keep
their width, and ticks are words of the page beside it. So a figure needs no second size for a phone. However long the
run, a line has at most `POINTS` corners and a map at most `COLUMNS` columns: what falls into one column is reduced in
the direction of harm, so that a short fault stays visible.
"""

from diagnose.report.figures.activations import ActivationPicture, activation_picture, pictured_sites
from diagnose.report.figures.causes import Graph, cause_graph
from diagnose.report.figures.maps import COLUMNS, Map, layer_maps
from diagnose.report.figures.plane import SIDE, Chart, Mark, Scale, Tick
from diagnose.report.figures.predictions import ClassFigure, class_figures, residual_charts
from diagnose.report.figures.training import POINTS, history_charts, thinned, training_charts

__all__ = [
    "COLUMNS",
    "POINTS",
    "SIDE",
    "ActivationPicture",
    "Chart",
    "ClassFigure",
    "Graph",
    "Map",
    "Mark",
    "Scale",
    "Tick",
    "activation_picture",
    "cause_graph",
    "class_figures",
    "history_charts",
    "layer_maps",
    "pictured_sites",
    "residual_charts",
    "thinned",
    "training_charts",
]
