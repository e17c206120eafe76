package work

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a file that leads to the job's server and namespace.
func (j Job) WriteKubeconfig(file string) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["bench"] = &clientcmdapi.Cluster{Server: j.Host, CertificateAuthorityData: j.CA}
	c.AuthInfos["bench"] = &clientcmdapi.AuthInfo{Token: j.Token}
	c.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "bench", Namespace: j.Namespace}
	c.CurrentContext = "bench"
	return clientcmd.WriteToFile(*c, file)
}
