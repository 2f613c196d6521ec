"""Patterns of microscopes whose files are named one way everywhere, and a real name of each.

Groups: those of a pattern of one's own (`pattern_groups`), and some that stay in this room:
``fast`` counts time points within one of ``t``, ``read`` tells channels of one name apart, ``part``
counts regions or crops of what ``field`` counts, and ``line`` counts parts of a protocol in time.
"""

from __future__ import annotations

_GUID = r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?"
# B03, B3, b03, AF48; one letter beyond P and one digit could be a token of another kind (s1, w2)
_NAME = r"(?:[A-Z]{1,2}\d{2}|(?:A[A-F]|[A-P])\d|(?:a[a-f]|[a-p])\d{1,2})"
BUILT_IN = {
    # Molecular Devices ImageXpress / MetaXpress: TimePoint_1/ZStep_2/Plate_B03_s1_w2<GUID>.tif
    "imagexpress": (
        r"(?:(?:.*/)?TimePoint_(?P<t>\d+)/)?(?:(?:.*/)?ZStep_(?P<z>\d+)/)?(?:.*/)?"
        rf"(?:[^/]*_)?(?P<well>{_NAME})(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+?))?"
        + _GUID
        + r"(?i:\.tiff?)"
    ),
    # the same maker's HCS.ai: experiment/timepoint0/Plate_t0_B03_s0_w1_z0.tif, counted from 0; of
    # stacks, experiment holds projections and experiment_z_stack their planes
    "hcsai": (
        rf"(?:(?:.*/)?experiment(?P<read>_z_stack|_montage)/)?(?:.*/)?[^/]*_t(?P<t>\d+)"
        rf"_(?P<well>{_NAME})_s(?P<field>\d+)_w(?P<channel>\d+)_z(?P<z>\d+)(?i:\.tiff?)"
    ),
    # Revvity Opera Phenix / Operetta (Harmony): r03c03f03p01-ch1sk1fk1fl1.tiff
    "phenix": (
        r"(?:.*/)?r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
        r"-ch(?P<channel>\d+)sk(?P<t>\d+)fk(?P<fast>\d+)fl\d+(?i:\.tiff?)"
    ),
    # Yokogawa CellVoyager: AssayPlate_B03_T0001F001L01A01Z01C01.tif; of 1,536 wells A01.d4
    "cellvoyager": (
        rf"(?:.*/)?[^/]*_(?P<well>{_NAME}(?:\.[a-d][1-4])?)_T(?P<t>\d+)F(?P<field>\d+)L(?P<line>\d+)"
        r"A\d+"
        r"Z(?P<z>\d+)C(?P<channel>\d+)(?i:\.tiff?|\.png)"
    ),
    # Yokogawa CQ1, CQ3000: Image/W0029F0001T0001Z001C1.tif, Projection/W0029F0001T0001Z000C1.tif;
    # wells are numbered row by row
    "cq1": (
        r"(?:.*/)?(?P<well>W\d{4,})F(?P<field>\d+)T(?P<t>\d+)Z(?P<z>\d+)C(?P<channel>\d+)"
        r"(?i:\.tiff?)"
    ),
    # Thermo Cellomics / ArrayScan: AS_09125_050116030001_D03f00d0.tif, or A01f00o1.DIB
    "cellomics": (
        rf"(?:.*/)?[^/]*_(?P<well>{_NAME})f(?P<field>\d{{2,}})[do](?P<channel>\d+)"
        r"(?i:\.tiff?|\.c01|\.dib)"
    ),
    # Evident / Olympus ScanR: B3--W00015--P00001--Z00000--T00000--DAPI.tif, or without the name
    "scanr": (
        r"(?:.*/)?(?:[^/]*?--)??(?P<well>[A-Za-z]{1,2}\d{1,2}(?=--W\d+--P)|W\d{4,}(?=--P))"
        r"(?:--W\d+)?--P(?P<field>\d+)(?=[^/]*--Z(?P<z>\d+))(?=[^/]*--T(?P<t>\d+))"
        r"--[ZT]\d+--[ZT]\d+--(?P<channel>[^/]+?)(?i:\.tiff?)"
    ),
    # GE / Cytiva IN Cell Analyzer: B - 3(fld 1 wv DAPI - DAPI z 2 tl 3).tif
    "incell": (
        r"(?:.*/)?(?P<well>[A-Za-z]{1,2} - \d{1,2})\(fld (?P<field>\d+)"
        r" wv (?P<channel>[^/()]+?)(?: z (?P<z>\d+))?(?: (?:tl|time) (?P<t>\d+)[^/()]*)?\)"
        r"(?i:\.tiff?)"
    ),
    # Agilent BioTek Cytation (Gen5): D6_01_1_2_DAPI_001.tif, with a stack D6_01_1_2Z3_DAPI_001.tif;
    # read, channel, field, name, time. Read -1 is made of others (Stitched[…], Tsf[…]). Or
    # D6_2Z3_DAPI_1_001_01.tif: field, name, channel, time, read. Regions of interest of a well:
    # D6ROI2_01_1_2Z3_DAPI_-1.tif, as the first kind, where the time may be -1
    "cytation": (
        r"(?:.*/)?(?P<well>[A-Za-z]{1,2}\d{1,2})(?:ROI(?P<part>\d+)(?=_-?\d+_\d+_\d+))?"
        r"(?:_(?P<read>-?\d+)_\d+)?_(?P<field>\d+)"
        r"(?:Z(?P<z>\d+))?_(?P<channel>(?=[^/]*[A-Za-z])[^/]+?)(?(read)|_\d+)_(?P<t>(?(part)-?)\d+)"
        r"(?(read)|_-?\d*)(?i:\.tiff?)"
    ),
    # Sartorius Incucyte: P_B3_1_00d04h00m.tif; exports of several channels differ in what is before
    # the well, as Phase_B3_1_00d04h00m.tif. LIVECell cut each image in four:
    # A172_Phase_A7_1_00d04h00m_3.tif
    "incucyte": (
        r"(?:.*/)?(?:(?:[^/]*[_ -])?(?P<channel>(?i:phase|green|orange|red|nir))[_ -](?:[^/]*_)?"
        r"|[^/]*_)?(?P<well>[A-P]\d{1,2})_(?P<field>\d+)_(?P<t>\d+d\d\dh\d\dm)(?:_(?P<part>[1-4]))?"
        r"(?i:\.tiff?|\.png|\.jpe?g)"
    ),
    # Translocation sets of the Broad collection (BBBC013, BBBC014): Channel1-01-A-01.BMP
    "bbbc": (
        r"(?:.*/)?Channel ?(?P<channel>\d)-\d{2}-(?P<row>[A-P])-(?P<column>\d{2})"
        r"(?i:\.tiff?|\.bmp|\.png)"
    ),
}
EXAMPLES = {
    "imagexpress": "TimePoint_1/Plate_B03_s1_w2.tif",
    "hcsai": "experiment/timepoint0/Plate_t0_B03_s0_w1_z0.tif",
    "phenix": "r03c03f03p01-ch1sk1fk1fl1.tiff",
    "cellvoyager": "Plate_B03_T0001F001L01A01Z01C01.tif",
    "cq1": "Image/W0015F0001T0001Z001C1.tif",
    "cellomics": "Plate_B03f00d0.tif",
    "scanr": "B3--W00015--P00001--Z00000--T00000--DAPI.tif",
    "incell": "B - 3(fld 1 wv DAPI - DAPI).tif",
    "cytation": "B3_01_1_2_DAPI_001.tif",
    "incucyte": "Phase_B3_1_00d04h00m.tif",
    "bbbc": "Channel1-15-B-03.BMP",
}
