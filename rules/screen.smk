"""Plates of a screen together: treatments over their replicates, plates beside each other.

in     results/P/wells.parquet, statistics.tsv, profiles/ of all plates of a screen
out    results/screens/S/wells.parquet, hits.tsv, plates.tsv, replicates.tsv, profiles.parquet,
       features.tsv, activity.tsv, consensus.parquet, similarity.tsv, report.html
"""


rule join_plates:
    """Wells of the plates of a screen are joined, and treatments judged over all their wells."""
    input:
        wells=of_screen(f"{RESULTS}/{{plate}}/wells.parquet"),
        statistics=of_screen(f"{RESULTS}/{{plate}}/statistics.tsv"),
        profiles=of_screen(f"{RESULTS}/{{plate}}/profiles/normalised.parquet"),
    output:
        wells="<results>/screens/{screen}/wells.parquet",
        hits=report(
            "<results>/screens/{screen}/hits.tsv",
            caption="captions/hits_of_screen.rst",
            category="Screens",
            labels={"screen": "{screen}", "shows": "treatments by rank, hits first"},
        ),
        plates=report(
            "<results>/screens/{screen}/plates.tsv",
            caption="captions/plates_of_screen.rst",
            category="Screens",
            labels={"screen": "{screen}", "shows": "plates"},
        ),
        replicates="<results>/screens/{screen}/replicates.tsv",
        profiles="<results>/screens/{screen}/profiles.parquet",
        features="<results>/screens/{screen}/features.tsv",
        activity="<results>/screens/{screen}/activity.tsv",
        consensus="<results>/screens/{screen}/consensus.parquet",
        similarity="<results>/screens/{screen}/similarity.tsv",
        report=report(
            "<results>/screens/{screen}/report.html",
            caption="captions/screen.rst",
            category="Screens",
            labels={"screen": "{screen}", "shows": "report"},
        ),
    log:
        "<logs>/join_plates/{screen}.log",
    benchmark:
        "<benchmarks>/join_plates/{screen}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=memory(4000),
    params:
        plates=lambda wildcards: {
            plate: {
                key: SHEET[plate][key]
                for key in ("screen", "batch", "replicate", "plate_map")
            }
            for plate in SCREENS[wildcards.screen]
        },
        profile=config["profile"],
        screen=config["screen"],
        seed=config["seed"],
        code=code_of("join_plates"),
    script:
        "../scripts/join_plates.py"
