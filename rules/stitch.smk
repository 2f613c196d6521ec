"""Places of fields in their wells, where `stitch.method` asks for them.

in     results/P/layout.json, blocks/ingest/0000.parquet …
out    results/P/places.parquet    one row per field: where it lies in its well
"""

if STITCHED:

    rule place_fields:
        """Fields are placed by stage positions, and by the registration of overlaps."""
        input:
            layout="<results>/{plate}/layout.json",
            tables=block_tables("ingest"),
        output:
            places="<results>/{plate}/places.parquet",
        log:
            "<logs>/place_fields/{plate}.log",
        benchmark:
            "<benchmarks>/place_fields/{plate}.tsv"
        conda:
            "../envs/measure.yaml"
        params:
            options=config["stitch"],
            channel=config["stitch"]["channel"]
            or config["segment"]["nuclei"]["channel"],
            code=code_of("place_fields"),
        script:
            "../scripts/place_fields.py"
