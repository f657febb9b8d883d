"""Work on many files in parts, by processes of this machine or by Apache Beam."""
