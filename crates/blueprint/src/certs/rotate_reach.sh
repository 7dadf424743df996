# This machine has come to $stage.
[ $stage != dropped ] || rm -f $E/pki/bramble-signer.crt
echo $stage >$R/stage.new
sync $R/stage.new
mv -fT $R/stage.new $R/stage
