rule gather_plate:
    input:
        inspection="<results>/{plate}/inspection.json",
        layout="<results>/{plate}/layout.json",
        tables=all_block_tables,
    output:
        cells="<results>/{plate}/cells.parquet",
        fields="<results>/{plate}/fields.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        spots="<results>/{plate}/spots.parquet",
        spot_tracks="<results>/{plate}/spot_tracks.parquet",
        msd="<results>/{plate}/msd.parquet",
        quarantine="<results>/{plate}/quarantine.tsv",
    log:
        "<logs>/gather_plate/{plate}.log",
    benchmark:
        "<benchmarks>/gather_plate/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        options=config["detect"],
        code=code_digest("workflow.gather", "track", "segment.movie_quality"),
    script:
        "../scripts/gather_plate.py"


rule profile_plate:
    input:
        inspection="<results>/{plate}/inspection.json",
        cells="<results>/{plate}/cells.parquet",
        fields="<results>/{plate}/fields.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        spot_tracks="<results>/{plate}/spot_tracks.parquet",
        msd="<results>/{plate}/msd.parquet",
        plate_map=of_plate("plate_map"),
    output:
        wells="<results>/{plate}/wells.parquet",
        statistics="<results>/{plate}/statistics.tsv",
        profiles="<results>/{plate}/profiles/augmented.parquet",
        normalised="<results>/{plate}/profiles/normalised.parquet",
        selected="<results>/{plate}/profiles/selected.parquet",
        warnings="<results>/{plate}/warnings.tsv",
    log:
        "<logs>/profile_plate/{plate}.log",
    benchmark:
        "<benchmarks>/profile_plate/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        options=config["profile"],
        readouts=READOUTS,
        seed=config["seed"],
        code=code_digest(
            "profiles.wells",
            "profiles.dynamics",
            "statistics.plate",
            "quality",
            alone=("workflow.plate_chain",),
        ),
    script:
        "../scripts/profile_plate.py"
