"""Classes of cells: training sets, the classifier, and how good it is on wells it has not seen."""
