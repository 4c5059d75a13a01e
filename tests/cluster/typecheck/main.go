// Command typecheck says what the type checker of Kubernetes has against a ValidatingAdmissionPolicy.
//
// On a seed kube-controller-manager writes that into status.typeChecking. The lab has none, so this
// runs the same checker against its API server: typecheck KUBECONFIG POLICY. It prints one warning a
// line and exits with 1 if there is any, with 2 if it could not check.
package main

import (
	"context"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: typecheck KUBECONFIG POLICY"))
	}
	warnings, err := check(os.Args[1], os.Args[2])
	if err != nil {
		fail(err)
	}
	for _, warning := range warnings {
		fmt.Println(warning)
	}
	if len(warnings) > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

func check(kubeconfig, name string) ([]string, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	policies := client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	policy, err := policies.Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	groups, err := restmapper.GetAPIGroupResources(client.Discovery())
	if err != nil {
		return nil, err
	}
	checker := &validating.TypeChecker{
		SchemaResolver: &resolver.ClientDiscoveryResolver{Discovery: client.Discovery()},
		RestMapper:     restmapper.NewDiscoveryRESTMapper(groups),
	}
	if checker.CreateContext(policy) == nil {
		return nil, fmt.Errorf("the policy %s matches no type that can be checked", name)
	}
	var lines []string
	for _, warning := range checker.Check(policy) {
		lines = append(lines, warning.FieldRef+": "+warning.Warning)
	}
	return lines, nil
}
