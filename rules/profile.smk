"""Tables of the whole plate, and what they say of its wells.

in     results/P/blocks/*/0000.parquet …, plate map
out    results/P/cells.parquet, fields, tracks, spots, spot_tracks, msd, quarantine.tsv
       results/P/wells.parquet, hits.tsv, statistics.tsv, profiles/, warnings.tsv
"""


rule gather_plate:
    """Objects, fields, tracks and spots of all blocks are gathered into one table each."""
    input:
        inspection="<results>/{plate}/inspection.json",
        manifest="<results>/{plate}/manifest.parquet",
        passed_over="<results>/{plate}/passed_over.tsv",
        layout="<results>/{plate}/layout.json",
        tables=all_block_tables,
        places=places_for("<results>/{plate}/places.parquet"),
    output:
        cells="<results>/{plate}/cells.parquet",
        fields="<results>/{plate}/fields.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        spots="<results>/{plate}/spots.parquet",
        spot_tracks="<results>/{plate}/spot_tracks.parquet",
        msd="<results>/{plate}/msd.parquet",
        quarantine=report(
            "<results>/{plate}/quarantine.tsv",
            caption="captions/quarantine.rst",
            category="Tables",
            labels={"plate": "{plate}", "shows": "what was left out"},
        ),
    log:
        "<logs>/gather_plate/{plate}.log",
    benchmark:
        "<benchmarks>/gather_plate/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    resources:
        mem_mb=memory(4000),
    params:
        options=of_config("detect"),
        of_cells=lambda wildcards: stages.of_cells(CONFIGS[wildcards.plate]),
        by_field=stages.by_field(),
        stage=config["track"]["stage"],
        max_gap_frames=config["track"]["max_gap_frames"],
        leave_out=config["profile"]["leave_out"],
        code=code_of("gather_plate"),
    script:
        "../scripts/gather_plate.py"


rule profile_plate:
    """Wells are summarised, normalised by controls and scored, and readouts are judged by Z′ and SSMD."""
    input:
        inspection="<results>/{plate}/inspection.json",
        cells="<results>/{plate}/cells.parquet",
        fields="<results>/{plate}/fields.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        spots="<results>/{plate}/spots.parquet",
        spot_tracks="<results>/{plate}/spot_tracks.parquet",
        msd="<results>/{plate}/msd.parquet",
        quarantine="<results>/{plate}/quarantine.tsv",
        light=light_for("<results>/{plate}/light.json"),
        places=places_for("<results>/{plate}/places.parquet"),
        scores=of_classifier("scores.json"),
        plate_map=of_plate("plate_map"),
    output:
        wells="<results>/{plate}/wells.parquet",
        hits=report(
            "<results>/{plate}/hits.tsv",
            caption="captions/hits.rst",
            category="Tables",
            labels={"plate": "{plate}", "shows": "wells by rank, hits first"},
        ),
        statistics=report(
            "<results>/{plate}/statistics.tsv",
            caption="captions/statistics.rst",
            category="Tables",
            labels={"plate": "{plate}", "shows": "statistics of readouts"},
        ),
        profiles="<results>/{plate}/profiles/augmented.parquet",
        normalised="<results>/{plate}/profiles/normalised.parquet",
        selected="<results>/{plate}/profiles/selected.parquet",
        features="<results>/{plate}/profiles/features.tsv",
        warnings=report(
            "<results>/{plate}/warnings.tsv",
            caption="captions/warnings.rst",
            category="Tables",
            labels={"plate": "{plate}", "shows": "warnings"},
        ),
    log:
        "<logs>/profile_plate/{plate}.log",
    benchmark:
        "<benchmarks>/profile_plate/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=memory(4000),
    params:
        options=of_config("profile"),
        readouts=readouts,
        left_out=in_sheet("left_out"),
        restricted=RESTRICTED,
        seed=config["seed"],
        code=code_of("profile_plate"),
    script:
        "../scripts/profile_plate.py"
