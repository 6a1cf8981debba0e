"""What has no opinion about builds: errors, places in files, paths, digests, the disk, the clock."""
