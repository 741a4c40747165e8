set edit:completion:arg-completer[archonctl] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) ARCHONCTL_COMPLETE="elvish" archonctl -- $@words) | to-lines
}
